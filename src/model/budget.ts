/** What a disk can take. */
export interface Budget {
  /** Bytes that may be written; Infinity when the file system does not say. */
  readonly freeBytes: number;
}

/** Kept free beside what is restored: links, state, the server's own small files. */
const RESERVE_BYTES = 16 * 1024 * 1024;
const RESERVE_SHARE = 0.01;

/** Bytes that are missing on the disk for `wanted` bytes of files; 0 when they fit. */
export function bytesShort(wanted: number, { freeBytes }: Budget): number {
  if (wanted === 0) return 0;
  const needed = wanted + RESERVE_BYTES + Math.ceil(wanted * RESERVE_SHARE);
  return Math.max(0, needed - freeBytes);
}

/** A place for the cache that was tried and works. */
export interface DirCandidate {
  readonly dir: string;
  /** It already holds what this program wrote. */
  readonly holdsState: boolean;
  readonly freeBytes: number;
}

/**
 * The dir to use, from candidates in order of preference: the one that already holds our state, then the first with
 * room for `wanted` bytes, then the roomiest. Undefined only without candidates.
 */
export function chooseDir(candidates: readonly DirCandidate[], wanted: number): DirCandidate | undefined {
  return (
    candidates.find(({ holdsState }) => holdsState) ??
    candidates.find((candidate) => bytesShort(wanted, candidate) === 0) ??
    candidates.toSorted((a, b) => b.freeBytes - a.freeBytes)[0]
  );
}
