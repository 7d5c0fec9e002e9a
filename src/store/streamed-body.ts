import { Readable } from 'node:stream';
import { ModelCacheError } from '../errors.ts';

/** Bytes that wait between the chunks and the socket; a chunk is not asked for while there are more. */
const AHEAD = 64 * 1024;

export interface StreamedBody {
  /** Bytes. */
  readonly size: number;
  readonly chunks: AsyncIterable<Buffer>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Sends a body of `size` bytes in the pace in which its chunks come and the connection takes them.
 *
 * `send` must end its request, and close the connection, when its signal aborts: that happens whenever this throws.
 * What `chunks` threw comes out as it is, and so does the reason of `signal`. The last chunk is sent when `chunks` has
 * ended well, so that an error after the last byte is in time. The chunks are told to stop, but not waited for.
 */
export async function sendStreamed<T>(
  { size, chunks, signal }: StreamedBody,
  send: (body: Readable, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const request = new AbortController();
  const stop = (): void => request.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  let failure: { readonly error: unknown } | undefined;
  const body = Readable.from(measured(chunks, size), { objectMode: false, highWaterMark: AHEAD });
  body.on('error', (error) => {
    failure ??= { error };
    request.abort(error);
  });
  try {
    const answer = await send(body, request.signal);
    if (!body.readableEnded) throw answeredEarly();
    return answer;
  } catch (error) {
    request.abort(error);
    signal?.throwIfAborted();
    throw failure === undefined ? error : failure.error;
  } finally {
    signal?.removeEventListener('abort', stop);
    body.destroy();
  }
}

/** The length is announced before: with fewer bytes the store waits for ever, more are taken for the next request. */
async function* measured(chunks: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let held: Buffer | undefined;
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > size) throw otherLength(size, 'more');
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (length !== size) throw otherLength(size, `${length} bytes`);
  if (held !== undefined) yield held;
}

function otherLength(wanted: number, found: string): ModelCacheError {
  return new ModelCacheError('internal', 'the bytes to send are not as many as was said', {
    wanted: `${wanted} bytes`,
    found,
  });
}

function answeredEarly(): ModelCacheError {
  return new ModelCacheError('store-failed', 'the store answered before all bytes were sent');
}
