import type { Worker } from 'node:worker_threads';
import { startThread } from '../threads.ts';
import type { Endpoint } from './connection.ts';
import {
  IS_WRITING,
  WRITES,
  type Failure,
  type FetchOrder,
  type FromReceiver,
  type ReceiverData,
  type ToReceiver,
} from './messages.ts';

export type Order = Omit<FetchOrder, 'kind' | 'id'>;
export type Fetched = Omit<Extract<FromReceiver, { kind: 'done' }>, 'kind' | 'id' | 'bytes'>;

export interface FetchEvents {
  /** The answer is of this object; its bytes come now. Not told of small files. */
  readonly onBegun: (etag: string) => void;
  /** So many bytes more were written. */
  readonly onBytes: (count: number) => void;
  /** The disk takes long to take what has come. */
  readonly onDiskBusy: () => void;
}

export class FetchFailed extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.kind);
    this.failure = failure;
  }
}

const LOOK_EVERY_MS = 200;

/** Threads that receive: whatever a disk or a connection does there, the thread that they work for goes on. */
export class Receivers {
  readonly #endpoint: Endpoint;
  readonly #patience: number;
  readonly #most: number;
  readonly #threads: Receiver[] = [];
  #next = 0;

  constructor(endpoint: Endpoint, patience: number, most: number) {
    this.#endpoint = endpoint;
    this.#patience = patience;
    this.#most = most;
  }

  /**
   * Fetches one range. Settles when the thread has let go of it, with `FetchFailed` if it did not come, or was stopped by
   * `signal`: only then may its file be closed.
   */
  fetch(order: Order, events: FetchEvents, signal: AbortSignal | undefined): Promise<Fetched> {
    return this.#receiver().fetch(order, events, signal);
  }

  close(): void {
    for (const thread of this.#threads) thread.close();
  }

  #receiver(): Receiver {
    const idle = this.#threads.find(({ active }) => active === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < this.#most) {
      const thread = new Receiver(this.#endpoint, this.#patience);
      this.#threads.push(thread);
      return thread;
    }
    this.#next = (this.#next + 1) % this.#threads.length;
    return this.#threads[this.#next] as Receiver;
  }
}

interface Pending {
  readonly events: FetchEvents;
  readonly done: PromiseWithResolvers<Fetched>;
}

class Receiver {
  readonly #worker: Worker;
  readonly #signs = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  readonly #pending = new Map<number, Pending>();
  #ids = 0;
  #writes = 0;
  #looking: NodeJS.Timeout | undefined;
  #failure: Failure | undefined;

  constructor(endpoint: Endpoint, patience: number) {
    const data: ReceiverData = { endpoint, patience, signs: this.#signs.buffer };
    this.#worker = startThread('receiver', data);
    this.#worker.on('message', (message: FromReceiver) => this.#hear(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the thread has ended')));
  }

  get active(): number {
    return this.#pending.size;
  }

  async fetch(order: Order, events: FetchEvents, signal: AbortSignal | undefined): Promise<Fetched> {
    if (this.#failure !== undefined) throw new FetchFailed(this.#failure);
    const id = (this.#ids += 1);
    const done = Promise.withResolvers<Fetched>();
    const cancel = (): void => this.#tell({ kind: 'cancel', id });
    if (this.#pending.size === 0) this.#begin();
    this.#pending.set(id, { events, done });
    this.#tell({ kind: 'fetch', id, ...order });
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await done.promise;
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#rest();
    }
  }

  close(): void {
    this.#rest();
    void this.#worker.terminate();
  }

  #begin(): void {
    this.#worker.ref();
    this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  #rest(): void {
    this.#worker.unref();
    clearInterval(this.#looking);
  }

  #look(): void {
    const writes = Atomics.load(this.#signs, WRITES);
    const isBusy = Atomics.load(this.#signs, IS_WRITING) === 1 && writes === this.#writes;
    this.#writes = writes;
    if (isBusy) for (const { events } of this.#pending.values()) events.onDiskBusy();
  }

  #hear(message: FromReceiver): void {
    switch (message.kind) {
      case 'moved':
        for (const [id, bytes] of message.moved) this.#pending.get(id)?.events.onBytes(bytes);
        return;
      case 'begun':
        this.#pending.get(message.id)?.events.onBegun(message.etag);
        return;
      case 'done': {
        const pending = this.#pending.get(message.id);
        pending?.events.onBytes(message.bytes);
        pending?.done.resolve(message);
        return;
      }
      case 'failed': {
        const pending = this.#pending.get(message.id);
        pending?.events.onBytes(message.bytes);
        pending?.done.reject(new FetchFailed(message.failure));
      }
    }
  }

  #fail(error: Error): void {
    const { code, errno, syscall, path, message } = error as NodeJS.ErrnoException;
    this.#failure ??= { kind: 'connection', code, errno, syscall, path, message };
    for (const { done } of this.#pending.values()) done.reject(new FetchFailed(this.#failure));
  }

  #tell(message: ToReceiver): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(message);
  }
}
