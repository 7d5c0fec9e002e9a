import { hash } from 'node:crypto';
import { ShortAnswerReader, WordlessRefusal, type Answer } from '../wire/answer-reader.ts';
import { Silence } from '../wire/connection.ts';
import { Connections } from '../wire/connections.ts';
import type { RequestBody } from '../wire/request-sender.ts';
import { UnusualAnswer } from '../wire/response-head.ts';
import { NotPlain } from './not-plain.ts';
import type { PlainRequests } from './plain-requests.ts';
import { requestText, type SignedRequest } from './s3-signer.ts';
import { answeredEarly, measured } from './sent-body.ts';
import { nothingSaid } from './stalled.ts';
import type { PartToSend } from './store.ts';

/** Answers are short, and read one at a time. */
const READ_BYTES = 64 * 1024;

/**
 * Sends objects and parts over sockets of our own. Everything that is sent is signed with a hash of itself, so that the
 * store refuses what did not arrive as it was.
 */
export class PlainSender {
  readonly #requests: PlainRequests;
  readonly #connections: Connections;

  /** What does not move for `patience` milliseconds is given up. 0: never. */
  constructor(requests: PlainRequests, patience: number) {
    this.#requests = requests;
    this.#connections = new Connections(requests.endpoint, Buffer.allocUnsafeSlow(READ_BYTES), patience);
  }

  /** A whole small object. */
  async put(key: string, bytes: Buffer, signal: AbortSignal | undefined): Promise<void> {
    const request = await this.#requests.sign(key, {
      method: 'PUT',
      headers: { 'content-length': String(bytes.length) },
      signedHeaders: { 'x-amz-content-sha256': hash('sha256', bytes) },
    });
    await this.#send(key, request, bytes, signal);
  }

  /** Returns the part's ETag; empty: it has none. What the chunks throw comes out as it is. */
  async sendPart(
    key: string,
    query: Readonly<Record<string, string>>,
    { size, md5, chunks }: Omit<PartToSend, 'number'>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const request = await this.#requests.sign(key, {
      method: 'PUT',
      query,
      headers: { 'content-length': String(size) },
      signedHeaders: {
        'content-md5': Buffer.from(md5, 'hex').toString('base64'),
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      },
    });
    let failure: { readonly error: unknown } | undefined;
    const body = async function* (): AsyncGenerator<Buffer> {
      try {
        yield* measured(chunks(), size);
      } catch (error) {
        failure = { error };
        throw error;
      }
    };
    try {
      const { headers } = await this.#send(key, request, body, signal);
      return headers['etag'] ?? '';
    } catch (error) {
      signal?.throwIfAborted();
      throw failure === undefined ? error : failure.error;
    }
  }

  close(): void {
    this.#connections.close();
  }

  async #send(
    key: string,
    request: SignedRequest,
    body: RequestBody,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const answer = await this.#answerTo(key, { head: requestText(request), body }, signal);
    if (answer.status !== 200) throw this.#requests.refused(key, answer);
    if (!answer.isSent) throw answeredEarly();
    return answer;
  }

  async #answerTo(
    key: string,
    request: { readonly head: string; readonly body: RequestBody },
    signal: AbortSignal | undefined,
  ): Promise<Answer & { readonly isSent: boolean }> {
    signal?.throwIfAborted();
    const reader = new ShortAnswerReader();
    let end: (reason: Error) => void = () => undefined;
    const stop = (): void => end(signal?.reason as Error);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const { isSent } = await this.#connections.exchange(request, reader, {
        onBegin: (way) => (end = way),
      });
      return { ...reader.answer, isSent };
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof WordlessRefusal) return { ...error.answer, isSent: true };
      if (error instanceof UnusualAnswer) throw new NotPlain(error.message);
      if (error instanceof Silence) throw nothingSaid(key, this.#requests.patience);
      throw this.#requests.names.explain(key, error);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }
}
