import {
  Agent as HttpAgent,
  request as requestPlain,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import type * as https from 'node:https';
import { countdown } from '../countdown.ts';
import { loadLater } from '../threads/frugal.ts';
import type { Endpoint } from '../wire/connection.ts';
import type { SignedRequest } from './s3-signer.ts';

/** A small answer: a listing's page, a manifest, or what was said instead. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The store said nothing, or did not come to an end. */
export class TookTooLong extends Error {}

/** Nobody accepts the connection, and nobody refuses it. */
class NotAccepted extends Error {
  override readonly name = 'TimeoutError';

  constructor() {
    super(`no connection was made within ${CONNECT_PATIENCE_MS / 1000} s`);
  }
}

/** More than anything that is read as one. */
export class AnswerTooLarge extends Error {}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** The first packet is sent again after one second, and then after three. */
const CONNECT_PATIENCE_MS = 3000;

export interface ReadOptions {
  /** As long as the request says. */
  readonly body?: Buffer;
  /** Bytes; more is `AnswerTooLarge`. */
  readonly atMost?: number;
  /** A store that has much to do first sends a space now and then. */
  readonly mayTakeLong?: boolean;
  /** Something of the answer has come. */
  readonly onSign?: () => void;
}

/** Asks one endpoint for small answers, on connections that are kept. */
export class WholeAnswers {
  /** Milliseconds that the quickest connection took to be accepted; undefined while there was none. */
  connectMs: number | undefined;
  readonly #endpoint: Endpoint;
  readonly #request: typeof requestPlain;
  readonly #agent: HttpAgent;
  readonly #patience: number;

  /** What is not whole within `patience` milliseconds is given up. 0: never. */
  constructor(endpoint: Endpoint, patience: number) {
    this.#endpoint = endpoint;
    const { ca, isTls } = endpoint;
    const { request, Agent } = isTls ? tls() : { request: requestPlain, Agent: HttpAgent };
    this.#request = request;
    this.#agent = new Agent({ keepAlive: true, ...(isTls && ca !== undefined && { ca }) });
    this.#patience = patience;
  }

  /**
   * Throws what the connection threw, `TookTooLong`, `AnswerTooLarge`, or the reason of `signal`. With `mayTakeLong`, it
   * may come little by little.
   */
  async read(
    request: SignedRequest,
    signal: AbortSignal | undefined,
    { body, atMost = MAX_ANSWER_BYTES, mayTakeLong = false, onSign }: ReadOptions = {},
  ): Promise<WholeAnswer> {
    signal?.throwIfAborted();
    const sent = this.#send(request, body);
    let ended: { readonly reason: unknown } | undefined;
    const end = (reason: unknown): void => {
      ended ??= { reason };
      sent.destroy();
    };
    const stop = (): void => end(signal?.reason);
    const timer = countdown(this.#patience, () => end(new TookTooLong()));
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await answerTo(sent, atMost, () => {
        onSign?.();
        if (mayTakeLong) timer?.refresh();
      });
    } catch (error) {
      // The body of an answer that has begun only says that it was aborted.
      throw ended === undefined ? error : ended.reason;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send({ method, target, headers }: SignedRequest, body: Buffer | undefined): ClientRequest {
    const { host, port } = this.#endpoint;
    const sent = this.#request({ host, port, method, path: target, headers, agent: this.#agent });
    sent.on('socket', (socket) => {
      if (!socket.connecting) return;
      const start = performance.now();
      const timer = countdown(CONNECT_PATIENCE_MS, () => sent.destroy(new NotAccepted()));
      socket.once('close', () => clearTimeout(timer));
      socket.once('connect', () => {
        clearTimeout(timer);
        this.connectMs = Math.min(this.connectMs ?? Infinity, performance.now() - start);
      });
    });
    sent.end(body);
    return sent;
  }
}

/** Only where it is needed: it takes Node some milliseconds to load. */
function tls(): typeof https {
  return loadLater(() => process.getBuiltinModule('node:https'));
}

async function answerTo(sent: ClientRequest, atMost: number, onSign: () => void): Promise<WholeAnswer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    sent.on('error', reject);
  });
  onSign();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    onSign();
    length += (chunk as Buffer).length;
    if (length > atMost) throw new AnswerTooLarge(`a body of more than ${atMost} bytes`);
    chunks.push(chunk as Buffer);
  }
  const headers = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as const);
  return {
    status: answer.statusCode ?? 0,
    headers: Object.fromEntries(headers),
    body: Buffer.concat(chunks, length),
  };
}
