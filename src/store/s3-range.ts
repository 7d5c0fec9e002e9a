import { ModelCacheError } from '../errors.ts';
import type { ByteRange } from '../model/parts.ts';
import { endsEarly } from './object-errors.ts';

/** Throws when the store answered with other bytes than those that were asked for. */
export function objectSizeOf(
  key: string,
  contentRange: string | undefined,
  contentLength: number | undefined,
  range: ByteRange | undefined,
): number {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '');
  if (match === null) {
    const size = contentLength ?? 0;
    if (range === undefined || (range.start === 0 && range.end === size)) return size;
    throw otherRange(range, contentRange ?? `all ${size} bytes`);
  }
  const [start, last, size] = match.slice(1).map(Number) as [number, number, number];
  if (range === undefined || start !== range.start) throw otherRange(range, contentRange ?? '');
  if (range.end > size) throw endsEarly(key, range.end, size);
  if (last !== range.end - 1) throw otherRange(range, contentRange ?? '');
  return size;
}

function otherRange(range: ByteRange | undefined, found: string): ModelCacheError {
  const wanted = range === undefined ? 'the whole object' : `bytes ${range.start}-${range.end - 1}`;
  return new ModelCacheError('store-failed', 'the store answered with another range', { wanted, found });
}
