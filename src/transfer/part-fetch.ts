import type { Flight } from '../model/ask-again.ts';
import type { ByteRange } from '../model/parts.ts';
import { isWorthRetrying } from '../store/store.ts';
import { withRetries } from './retry.ts';

export const ATTEMPTS = 5;

/** What is asked of a store, once. */
export interface PartRequest {
  readonly range: ByteRange;
  readonly onNewConnection: boolean;
  readonly signal: AbortSignal;
  /** So many bytes more were written. */
  readonly onBytes: (count: number) => void;
}

export interface PartTools {
  readonly ask: (request: PartRequest) => Promise<void>;
  /** All bytes before have been written, from the part's beginning on; so many of them are news. */
  readonly onReached: (position: number, news: number) => void;
  readonly onNewConnection: boolean;
  readonly signal: AbortSignal;
}

/**
 * One part on its way: asked for again from where it broke off, and, on demand, beside itself. Two requests write the
 * same bytes to the same place; whichever is first ends the other.
 */
export class PartFetch implements Flight {
  isDoubled = false;
  readonly #range: ByteRange;
  readonly #tools: PartTools;
  readonly #startedAt = performance.now();
  #reached: number;
  #requests = 0;
  #askBeside: (() => void) | undefined;

  constructor(range: ByteRange, tools: PartTools) {
    this.#range = range;
    this.#tools = tools;
    this.#reached = range.start;
  }

  get left(): number {
    return this.#range.end - this.#reached;
  }

  get rate(): number {
    return ((this.#reached - this.#range.start) * 1000) / (performance.now() - this.#startedAt);
  }

  /** Settles when nothing of it is under way any more. */
  run(): Promise<void> {
    return withRetries(ATTEMPTS, isWorthRetrying, this.#tools.signal, () => this.#askUntilOneIsDone());
  }

  /** What is left is asked for once more, on a connection of its own. */
  askAgain(): void {
    this.isDoubled = true;
    this.#askBeside?.();
  }

  async #askUntilOneIsDone(): Promise<void> {
    const { start, end } = this.#range;
    // It broke off right after its last byte. The rest would be an empty range, which a store takes for everything.
    if (start < end && this.#reached >= end) return;
    const others = new AbortController();
    const signal = AbortSignal.any([this.#tools.signal, others.signal]);
    const done = Promise.withResolvers<void>();
    const requests: Promise<void>[] = [];
    let failures = 0;
    const askOnce = (): void => {
      const onError = (error: unknown): void => {
        failures += 1;
        if (failures === requests.length) done.reject(error);
      };
      requests.push(this.#ask(signal).then(done.resolve, onError));
    };
    this.#askBeside = askOnce;
    askOnce();
    try {
      await done.promise;
    } finally {
      this.#askBeside = undefined;
      others.abort();
      await Promise.all(requests);
    }
  }

  #ask(signal: AbortSignal): Promise<void> {
    const { ask, onReached, onNewConnection } = this.#tools;
    this.#requests += 1;
    let position = this.#reached;
    return ask({
      range: { start: position, end: this.#range.end },
      onNewConnection: onNewConnection || this.#requests > 1,
      signal,
      onBytes: (count) => {
        position += count;
        const news = Math.max(0, position - this.#reached);
        this.#reached += news;
        onReached(this.#reached, news);
      },
    });
  }
}
