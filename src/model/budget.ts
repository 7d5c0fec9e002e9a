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
  /** From `findDir` on, with what killed runs have left there. */
  readonly freeBytes: number;
}

/**
 * Of dirs that were tried, in order of preference, the one to use: the first that lacks nothing, else the one that
 * lacks least. Undefined only when none was tried.
 */
export function chooseDir<T extends { readonly bytesShort: number }>(tried: readonly T[]): T | undefined {
  return tried.toSorted((a, b) => a.bytesShort - b.bytesShort)[0];
}
