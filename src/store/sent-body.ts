import { ModelCacheError } from '../errors.ts';

/**
 * The chunks of a body of exactly `size` bytes. Its length is announced before: with fewer bytes the store waits for
 * ever, more are taken for the next request. The last byte comes when the chunks have ended well, so that an error
 * behind it is in time. Each chunk is only lent, until the next one is asked for.
 */
export async function* measured(chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let last: Buffer | undefined;
  let length = 0;
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue;
    length += chunk.length;
    if (length > size) throw otherLength(size, 'more');
    if (length === size) last = Buffer.from(chunk.subarray(-1));
    const now = length === size ? chunk.subarray(0, -1) : chunk;
    if (now.length > 0) yield now;
  }
  if (length !== size) throw otherLength(size, `${length} bytes`);
  if (last !== undefined) yield last;
}

function otherLength(wanted: number, found: string): ModelCacheError {
  return new ModelCacheError('internal', 'the bytes to send are not as many as was said', {
    wanted: `${wanted} bytes`,
    found,
  });
}

export function answeredEarly(): ModelCacheError {
  return new ModelCacheError('store-failed', 'the store answered before all bytes were sent');
}
