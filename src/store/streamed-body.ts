import { Readable } from 'node:stream';
import { answeredEarly, measured } from './sent-body.ts';

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
  const body = Readable.from(copied(measured(chunks, size)), { objectMode: false, highWaterMark: AHEAD });
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

/** The connection holds on to what it has not sent yet. */
async function* copied(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}
