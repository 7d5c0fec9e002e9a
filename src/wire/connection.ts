import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { ConnectionOptions } from 'node:tls';
import { RequestSender, type RequestBody } from './request-sender.ts';
import { MAX_HEAD_BYTES, parseResponseHead, UnusualAnswer, type ResponseHead } from './response-head.ts';

/** Where requests go. Plain: it crosses to other threads. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Certificates in PEM to trust instead of Node's own. */
  readonly ca: string | undefined;
}

/** Takes an answer as it comes. What these throw ends the connection, and is what the exchange throws. */
export interface AnswerReader {
  /** The head, before any byte of the body. */
  begin(head: ResponseHead): void;
  /** The next bytes of the body, which are only lent: another answer is read into the same memory afterwards. */
  take(bytes: Buffer): void;
}

export interface PlainRequest {
  /** Request line and headers, with the empty line behind them. */
  readonly head: string;
  /** As long as the head says; undefined: it has none. */
  readonly body?: RequestBody;
}

/** An answer that came before the whole request was sent is one of the connection's last words. */
export interface Exchanged {
  readonly isSent: boolean;
}

/** The other side closed a connection that had been kept, and of this answer nothing came. */
export class ClosedBeforeAnswer extends Error {}

/** A connection ended in the middle of an answer. */
class AnswerCutOff extends Error {
  readonly code = 'ECONNRESET';
}

/** Nothing came for too long, or nothing was taken. */
export class Silence extends Error {}

/** Looks at one connection until it counts as silent. */
export const LOOKS = 4;

interface Exchange {
  readonly reader: AnswerReader;
  readonly done: PromiseWithResolvers<Exchanged>;
  readonly sender: RequestSender;
  /** The connection had been accepted before: what is kept may be closed at any moment. */
  readonly wasKept: boolean;
  head: Buffer | undefined;
  left: number | undefined;
  keepsAlive: boolean;
}

export interface ConnectionEvents {
  /** The other side has accepted it, after so many milliseconds. */
  readonly onAccepted?: (connectMs: number) => void;
  /** A session by which the next TLS connection is made in fewer round trips. */
  readonly onSession: (session: Buffer) => void;
  /** It is no more. */
  readonly onEnd: (connection: Connection) => void;
}

/** One connection over which one request after the other is sent. Bytes are read into `memory`, whoever else uses it. */
export class Connection {
  /** Milliseconds that the other side took to accept; undefined while it has not. */
  connectMs: number | undefined;
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  #exchange: Exchange | undefined;
  #looks = 0;
  #error: Error | undefined;

  constructor(endpoint: Endpoint, memory: Uint8Array, session: Buffer | undefined, events: ConnectionEvents) {
    const start = performance.now();
    this.#events = events;
    this.#socket = open(endpoint, session, {
      buffer: memory,
      callback: (length) => {
        this.#receive(Buffer.from(memory.buffer as ArrayBuffer, memory.byteOffset, length));
        return true;
      },
    });
    this.#socket.setNoDelay(true);
    this.#socket.once('connect', () => {
      this.connectMs = performance.now() - start;
      events.onAccepted?.(this.connectMs);
    });
    this.#socket.on('session', (fresh: Buffer) => events.onSession(fresh));
    this.#socket.on('error', (error) => (this.#error ??= error));
    this.#socket.once('close', () => this.#closed());
  }

  get isUsable(): boolean {
    // For a moment, what the other side has ended is not destroyed yet.
    return !this.#socket.destroyed && !this.#socket.readableEnded && this.#exchange === undefined;
  }

  /** Sends a request and reads its answer to the end. */
  exchange({ head, body }: PlainRequest, reader: AnswerReader): Promise<Exchanged> {
    const done = Promise.withResolvers<Exchanged>();
    const sender = new RequestSender(this.#socket, () => (this.#looks = 0));
    const wasKept = this.connectMs !== undefined;
    this.#exchange = { reader, done, sender, wasKept, head: undefined, left: undefined, keepsAlive: true };
    this.#looks = 0;
    sender.send(head, body).catch((error: unknown) => this.destroy(error as Error));
    return done.promise;
  }

  /** To be called `LOOKS` times in what counts as too long. A thread that was busy all the while has looked once. */
  look(): void {
    // What the body is made of may take its time.
    if (this.#exchange === undefined || this.#exchange.sender.isWaitingForChunks) return;
    this.#looks += 1;
    if (this.#looks > LOOKS) this.destroy(new Silence('nothing came, and nothing was taken'));
  }

  destroy(error?: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
    // The socket tells of it a turn later; by then somebody could have taken it for usable.
    this.#closed();
  }

  #receive(bytes: Buffer): void {
    this.#looks = 0;
    const exchange = this.#exchange;
    if (exchange === undefined) {
      this.destroy(new UnusualAnswer('bytes that nobody asked for'));
      return;
    }
    try {
      const body = exchange.left === undefined ? this.#readHead(exchange, bytes) : bytes;
      if (body !== undefined) this.#readBody(exchange, body);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** Returns what follows the head, when it is complete. */
  #readHead(exchange: Exchange, bytes: Buffer): Buffer | undefined {
    const all = exchange.head === undefined ? bytes : Buffer.concat([exchange.head, bytes]);
    const end = all.indexOf('\r\n\r\n');
    if (end < 0 ? all.length > MAX_HEAD_BYTES : end > MAX_HEAD_BYTES)
      throw new UnusualAnswer(`a head of more than ${MAX_HEAD_BYTES} bytes`);
    if (end < 0) {
      // A copy: the memory is used again.
      exchange.head = Buffer.from(all);
      return undefined;
    }
    const head = parseResponseHead(all.toString('latin1', 0, end));
    exchange.left = head.contentLength ?? 0;
    exchange.keepsAlive = head.keepsAlive;
    exchange.reader.begin(head);
    if (head.contentLength === undefined) throw new UnusualAnswer('a body without a length');
    return all.subarray(end + 4);
  }

  #readBody(exchange: Exchange, bytes: Buffer): void {
    const left = exchange.left ?? 0;
    if (bytes.length > left) throw new UnusualAnswer('more bytes than were announced');
    exchange.left = left - bytes.length;
    if (bytes.length > 0) exchange.reader.take(bytes);
    if (exchange.left > 0) return;
    this.#exchange = undefined;
    const { isSent } = exchange.sender;
    exchange.sender.stop();
    if (!exchange.keepsAlive || !isSent) this.destroy();
    exchange.done.resolve({ isSent });
  }

  #closed(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.sender.stop();
    exchange?.done.reject(this.#reason(exchange));
    this.#events.onEnd(this);
  }

  #reason({ head, left, wasKept }: Exchange): Error {
    const isUntouched = head === undefined && left === undefined;
    const isOurs = this.#error !== undefined && (this.#error as NodeJS.ErrnoException).syscall === undefined;
    if (isUntouched && wasKept && !isOurs) return new ClosedBeforeAnswer();
    return (
      this.#error ?? new AnswerCutOff(left === undefined ? 'no answer came' : 'the connection ended early')
    );
  }
}

function open({ host, port, isTls, ca }: Endpoint, session: Buffer | undefined, onread: OnReadOpts): Socket {
  if (!isTls) return connectPlain({ host, port, onread });
  // The types do not know that TLS sockets take it too.
  const options: ConnectionOptions & { readonly onread: OnReadOpts } = {
    host,
    port,
    onread,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(session === undefined ? {} : { session }),
    ALPNProtocols: ['http/1.1'],
  };
  // Only where it is needed: it takes Node 10 ms to load.
  return process.getBuiltinModule('node:tls').connect(options);
}
