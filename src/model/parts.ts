/** Part sizes are of the format: every uploader cuts an object at the same places. S3 takes 10 000 parts at most. */
const PART_SIZE = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;

/** The part size of an object in bytes: 8 MiB, or the smallest multiple of it that gives at most 10 000 parts. */
export function partSizeFor(size: number): number {
  return PART_SIZE * Math.max(1, Math.ceil(size / (PART_SIZE * MAX_PARTS)));
}

/** Bytes `start` to `end`, `end` not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** An object cut into parts; an empty object is one empty range. */
export function rangesOf(size: number, partSize: number): readonly ByteRange[] {
  return cutRange({ start: 0, end: size }, partSize);
}

/** Bytes cut into parts; none are one empty part. */
function cutRange({ start, end }: ByteRange, partSize: number): readonly ByteRange[] {
  const count = Math.max(1, Math.ceil((end - start) / partSize));
  return Array.from({ length: count }, (_, index) => ({
    start: start + index * partSize,
    end: Math.min(end, start + (index + 1) * partSize),
  }));
}
