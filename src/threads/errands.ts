import type { EventLoopUtilization } from 'node:perf_hooks';
import { signsOfThread, threadHasEnded } from './disk-signs.ts';
import { Outbox } from './outbox.ts';
import { asSystemError, type SystemFailure } from './system-failure.ts';
import { NoThread, startThread, type StartedThread, type ThreadName } from './start.ts';

/** What crosses to a thread. */
export type ToThread<Errand, Reply> =
  | { readonly kind: 'do'; readonly id: number; readonly errand: Errand }
  | { readonly kind: 'reply'; readonly id: number; readonly reply: Reply }
  | { readonly kind: 'stop'; readonly id: number };

/** What comes from it. A plain failure: errors lose their fields on the way. */
export type FromThread<Said, Result, Failure> =
  | { readonly kind: 'said'; readonly id: number; readonly said: Said }
  | { readonly kind: 'done'; readonly id: number; readonly result: Result }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: Failure };

export interface ErrandEvents<Said, Reply = never> {
  /** Whoever hears it may reply, also later; what is over heeds no reply. */
  readonly onSaid: (said: Said, reply: (reply: Reply) => void) => void;
  /** Whether the disk keeps the thread waiting. Told again and again. */
  readonly onDisk: (isStuck: boolean) => void;
}

/** An errand that failed, in the thread's own words. */
export class ErrandFailed<Failure> extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super('an errand failed');
    this.failure = failure;
  }
}

/** Why a thread is no more. */
export interface ThreadEnded {
  readonly kind: 'thread-ended';
  readonly message: string;
}

/** What an errand threw, where all that fails in its thread is the system's: as if it had been thrown here. */
export function thrownHere(error: unknown): unknown {
  if (!(error instanceof ErrandFailed)) return error;
  const failure = error.failure as SystemFailure | ThreadEnded;
  return 'kind' in failure ? new Error(`a thread has ended: ${failure.message}`) : asSystemError(failure);
}

const LOOK_EVERY_MS = 200;

interface Pending<Said, Result, Reply> {
  readonly events: ErrandEvents<Said, Reply>;
  readonly done: PromiseWithResolvers<Result>;
}

/** One thread that is sent on errands, any number of them at once. The process waits for it only while it has some. */
export class Errands<Errand, Said, Result, Failure, Reply = never> {
  readonly #thread: StartedThread;
  readonly #signs = signsOfThread();
  readonly #outbox: Outbox<ToThread<Errand, Reply>>;
  readonly #pending = new Map<number, Pending<Said, Result, Reply>>();
  /** To be told to stop when a signal aborts: one listener serves many errands. */
  readonly #stoppedBy = new WeakMap<AbortSignal, Set<number>>();
  #ids = 0;
  #loadBefore: EventLoopUtilization | undefined;
  #looking: NodeJS.Timeout | undefined;
  #isClosed = false;
  #ended: Error | undefined;

  constructor(name: ThreadName, data: object) {
    this.#thread = startThread(name, { ...data, signs: this.#signs.memory });
    const { worker } = this.#thread;
    this.#outbox = new Outbox(worker);
    worker.on('message', (messages: readonly FromThread<Said, Result, Failure>[]) => {
      for (const message of messages) this.#hear(message);
    });
    worker.on('error', (error: Error) => this.#end(error.message));
    worker.on('exit', () => this.#end('the thread has ended'));
  }

  /** It goes on no errand any more. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Errands that it is on. */
  get active(): number {
    return this.#pending.size;
  }

  /**
   * Settles when the thread has let go of it, with `ErrandFailed` where it failed, and NoThread where the thread could not
   * even begin. When `signal` aborts, the thread is told to stop; what comes of that is the thread's word.
   */
  async run(errand: Errand, events: ErrandEvents<Said, Reply>, signal?: AbortSignal): Promise<Result> {
    if (this.#ended !== undefined) throw this.#ended;
    const id = (this.#ids += 1);
    const done = Promise.withResolvers<Result>();
    if (this.#pending.size === 0) this.#begin();
    this.#pending.set(id, { events, done });
    this.#outbox.put({ kind: 'do', id, errand });
    const stoppedTogether = signal && this.#stopsOf(signal);
    stoppedTogether?.add(id);
    if (signal?.aborted === true) this.#outbox.put({ kind: 'stop', id });
    try {
      return await done.promise;
    } finally {
      stoppedTogether?.delete(id);
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#rest();
    }
  }

  /** Of the time since this was asked last, the share in which the thread had something to do; 0 to 1. */
  takeLoad(): number {
    const { performance } = this.#thread.worker;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#loadBefore);
    this.#loadBefore = now;
    // Of a loop that has not begun it may be anything.
    return Math.min(1, Math.max(0, utilization));
  }

  close(): void {
    this.#isClosed = true;
    this.#rest();
    void this.#thread.worker.terminate();
  }

  #stopsOf(signal: AbortSignal): Set<number> {
    const known = this.#stoppedBy.get(signal);
    if (known !== undefined) return known;
    const ids = new Set<number>();
    this.#stoppedBy.set(signal, ids);
    const stop = (): void => ids.forEach((id) => this.#outbox.put({ kind: 'stop', id }));
    signal.addEventListener('abort', stop, { once: true });
    return ids;
  }

  #begin(): void {
    this.#thread.worker.ref();
    this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  #rest(): void {
    this.#thread.worker.unref();
    clearInterval(this.#looking);
  }

  #look(): void {
    const isStuck = this.#signs.look();
    for (const { events } of this.#pending.values()) events.onDisk(isStuck);
  }

  #hear(message: FromThread<Said, Result, Failure>): void {
    const { id } = message;
    const pending = this.#pending.get(id);
    switch (message.kind) {
      case 'said':
        pending?.events.onSaid(message.said, (reply) => this.#outbox.put({ kind: 'reply', id, reply }));
        return;
      case 'done':
        pending?.done.resolve(message.result);
        return;
      case 'failed':
        pending?.done.reject(new ErrandFailed(message.failure));
    }
  }

  #end(message: string): void {
    this.#ended ??=
      this.#thread.hasBegun() || this.#isClosed
        ? new ErrandFailed<ThreadEnded>({ kind: 'thread-ended', message })
        : new NoThread(`a thread could not begin: ${message}`);
    this.#thread.ended();
    threadHasEnded(this.#signs);
    for (const { done } of this.#pending.values()) done.reject(this.#ended);
  }
}
