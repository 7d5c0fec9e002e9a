/** So many files, and about so many bytes, are asked for one after the other before anything else is. */
const MOST_FILES = 8;
const MOST_BYTES = 1024 * 1024;

/**
 * Small files, in their order, a few at a time, for so many `lanes` that share them: ever fewer towards the end, so that
 * all are done at the same time. `sizeOf` in bytes.
 */
export function* handfuls<File>(
  files: readonly File[],
  sizeOf: (file: File) => number,
  lanes: number,
): Generator<readonly File[]> {
  for (let first = 0; first < files.length;) {
    const most = Math.min(MOST_FILES, Math.ceil((files.length - first) / (2 * lanes)));
    let end = first;
    for (let bytes = 0; end < files.length && end - first < most && bytes < MOST_BYTES; end += 1)
      bytes += sizeOf(files[end] as File);
    yield files.slice(first, end);
    first = end;
  }
}
