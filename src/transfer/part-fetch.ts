import type { ByteRange } from '../model/parts.ts';
import type { Flight } from '../model/stragglers.ts';
import { mayBeOfTheWay, type Cut } from '../store/store.ts';
import { persistently } from './retry.ts';

/** What is asked of a store, once. */
export interface PartRequest {
  readonly range: ByteRange;
  readonly onNewConnection: boolean;
  readonly signal: AbortSignal;
  /** Its bytes come now; by `cut` it can be made to end earlier. */
  readonly onBegun: (cut: Cut | undefined) => void;
  /** It ends here. */
  readonly onCut: (end: number) => void;
  /** So many bytes more were written. */
  readonly onBytes: (count: number) => void;
}

export interface PartTools {
  readonly ask: (request: PartRequest) => Promise<void>;
  /** All bytes before have been written, from the part's beginning on; so many of them are news. */
  readonly onReached: (position: number, news: number) => void;
  /** Its end is not fetched here any more. */
  readonly onGivenBack: (rest: ByteRange) => void;
  readonly onNewConnection: boolean;
  readonly signal: AbortSignal;
}

/**
 * One part on its way: asked for again from where it broke off, and, on demand, beside itself. Two requests bring the
 * same bytes to the same place; whichever is first ends the other.
 */
export class PartFetch implements Flight {
  /** Two requests have been under way for it. */
  isDoubled = false;
  /** Milliseconds until a request for it brought its first byte, at best. */
  beginMs: number | undefined;
  readonly #start: number;
  #end: number;
  readonly #tools: PartTools;
  readonly #startedAt = performance.now();
  #reached: number;
  /** A request for it has failed in a way that may be the fault of its connection. */
  #isWayDoubtful = false;
  #askBeside: (() => void) | undefined;
  #lastAt = performance.now();
  /** Of the request under way. */
  #cut: Cut | undefined;
  /** Where it was told to end; it has not said yet whether it does. */
  #toEndAt: number | undefined;

  constructor(range: ByteRange, tools: PartTools) {
    this.#start = range.start;
    this.#end = range.end;
    this.#tools = tools;
    this.#reached = range.start;
  }

  get reached(): number {
    return this.#reached;
  }

  get end(): number {
    return this.#end;
  }

  get rate(): number {
    return ((this.#reached - this.#start) * 1000) / (performance.now() - this.#startedAt);
  }

  get quietMs(): number {
    return performance.now() - this.#lastAt;
  }

  get canEndEarlier(): boolean {
    return this.#cut !== undefined && !this.isDoubled && !this.#mayEndEarlier;
  }

  /** Else two would write behind an end that only one of them knows. */
  get canBeDoubled(): boolean {
    return this.#askBeside !== undefined && !this.isDoubled && !this.#mayEndEarlier;
  }

  /** Settles when nothing of it is under way any more. */
  run(): Promise<void> {
    return persistently(
      this.#tools.signal,
      () => this.#askUntilOneIsDone(),
      () => this.#reached,
    );
  }

  /** What is at `end` and behind it is given back, unless it has come so far. */
  endAt(end: number): void {
    this.#toEndAt = end;
    this.#cut?.(end);
  }

  /** What is left is asked for once more, on a connection of its own; where it `canBeDoubled`. */
  askAgain(): void {
    this.isDoubled = true;
    this.#askBeside?.();
  }

  async #askUntilOneIsDone(): Promise<void> {
    // It broke off right after its last byte. The rest would be an empty range, which a store takes for everything.
    if (this.#start < this.#end && this.#reached >= this.#end) return;
    const others = new AbortController();
    const signal = AbortSignal.any([this.#tools.signal, others.signal]);
    const done = Promise.withResolvers<void>();
    const requests: Promise<void>[] = [];
    let failures = 0;
    const askOnce = (): void => {
      const onError = (error: unknown): void => {
        failures += 1;
        this.#isWayDoubtful ||= mayBeOfTheWay(error);
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
      this.#cut = undefined;
      this.#toEndAt = undefined;
      others.abort();
      await Promise.all(requests);
    }
  }

  /** It was told to, and has not come so far. */
  get #mayEndEarlier(): boolean {
    return this.#toEndAt !== undefined && this.#reached < this.#toEndAt && this.#toEndAt < this.#end;
  }

  #giveBack(end: number): void {
    const rest = { start: end, end: this.#end };
    this.#end = end;
    this.#tools.onGivenBack(rest);
  }

  #ask(signal: AbortSignal): Promise<void> {
    const { ask, onReached, onNewConnection } = this.#tools;
    let position = this.#reached;
    const askedAt = performance.now();
    this.#lastAt = askedAt;
    return ask({
      range: { start: position, end: this.#end },
      onNewConnection: onNewConnection || this.isDoubled || this.#isWayDoubtful,
      signal,
      onBegun: (cut) => {
        this.#lastAt = performance.now();
        this.beginMs = Math.min(this.beginMs ?? Infinity, this.#lastAt - askedAt);
        this.#cut = cut;
      },
      onCut: (end) => this.#giveBack(end),
      onBytes: (count) => {
        position += count;
        this.#lastAt = performance.now();
        const news = Math.max(0, Math.min(position, this.#end) - this.#reached);
        this.#reached += news;
        onReached(this.#reached, news);
      },
    });
  }
}
