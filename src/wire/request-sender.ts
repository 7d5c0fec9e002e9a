import type { Socket } from 'node:net';

/**
 * What a request carries: bytes that are there, or chunks that are made when they are wanted, anew for each connection
 * over which it is sent. A chunk is only lent: its memory may be used again when the next one is asked for.
 */
export type RequestBody = Buffer | (() => AsyncIterable<Buffer>);

/** Sends one request, in the pace in which its chunks come and the socket takes them. */
export class RequestSender {
  readonly #socket: Socket;
  readonly #onTaken: () => void;
  #chunks: AsyncIterator<Buffer> | undefined;
  #isStopped = false;
  #isSent = false;
  #isWaitingForChunks = false;

  /** `onTaken` is called whenever the socket has taken something. */
  constructor(socket: Socket, onTaken: () => void) {
    this.#socket = socket;
    this.#onTaken = onTaken;
  }

  /** The socket has taken everything. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** If nothing moves now, it is not the other side's fault. */
  get isWaitingForChunks(): boolean {
    return this.#isWaitingForChunks;
  }

  /** Throws what the chunks throw. That a connection is no more, the socket tells by itself. */
  async send(head: string, body: RequestBody | undefined): Promise<void> {
    if (body === undefined) {
      this.#socket.write(head, 'latin1');
      this.#isSent = true;
      return;
    }
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    if (Buffer.isBuffer(body)) {
      const taken = this.#taken(body);
      this.#socket.uncork();
      await taken;
    } else await this.#sendChunks(body());
    this.#isSent = !this.#isStopped;
  }

  /** The chunks are told, and not waited for. */
  stop(): void {
    this.#isStopped = true;
    const ending = this.#chunks?.return?.();
    this.#chunks = undefined;
    ending?.catch(() => undefined);
  }

  async #sendChunks(chunks: AsyncIterable<Buffer>): Promise<void> {
    const iterator = chunks[Symbol.asyncIterator]();
    this.#chunks = iterator;
    for (let isFirst = true; !this.#isStopped; isFirst = false) {
      this.#isWaitingForChunks = true;
      const next = await iterator.next().finally(() => {
        this.#isWaitingForChunks = false;
      });
      if (this.#isStopped) return;
      const taken = next.done === true ? undefined : this.#taken(next.value);
      if (isFirst) this.#socket.uncork();
      if (next.done === true) return;
      await taken;
    }
  }

  #taken(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.write(bytes, () => {
        this.#onTaken();
        resolve();
      });
    });
  }
}
