import { ModelCacheError } from '../errors.ts';
import type { ByteRange } from '../model/parts.ts';
import { endsEarly } from './object-errors.ts';

/**
 * The size of the whole object. Throws when the store answered with other bytes than those that were asked for.
 * Undefined where the whole was asked for and comes in chunks, without a length.
 */
export function objectSizeOf(
  key: string,
  contentRange: string | undefined,
  contentLength: number | undefined,
  range: ByteRange | undefined,
): number | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '');
  if (match === null) {
    if (range === undefined) return contentLength;
    const size = contentLength ?? 0;
    if (range.start === 0 && range.end === size) return size;
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
