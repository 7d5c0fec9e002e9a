import { Errands, type ErrandEvents } from './errands.ts';
import { NoThread, type ThreadName } from './start.ts';

/** Threads of one kind, each started when it is needed. */
export class Crew<Errand, Said, Result, Failure, Reply = never> {
  readonly #name: ThreadName;
  readonly #data: object;
  #threads: Errands<Errand, Said, Result, Failure, Reply>[] = [];
  /** Why one of them could not begin: the next one could not either. */
  #noMore: NoThread | undefined;

  constructor(name: ThreadName, data: object) {
    this.#name = name;
    this.#data = data;
  }

  /**
   * Sends the least busy of them on an errand, or one more while all are busy, at most so many, and while there can be.
   * Throws NoThread where there can be none at all, and what `Errands.run` throws.
   */
  async run(
    most: number,
    errand: Errand,
    events: ErrandEvents<Said, Reply>,
    signal?: AbortSignal,
  ): Promise<Result> {
    for (;;) {
      const thread = this.#least(most);
      try {
        return await thread.run(errand, events, signal);
      } catch (error) {
        if (!(error instanceof NoThread)) throw error;
        this.#noMore = error;
      }
    }
  }

  #least(most: number): Errands<Errand, Said, Result, Failure, Reply> {
    this.#threads = this.#threads.filter(({ hasEnded }) => !hasEnded);
    const [least] = this.#threads.toSorted((a, b) => a.active - b.active);
    if (least !== undefined && (least.active === 0 || this.#threads.length >= most)) return least;
    try {
      if (this.#noMore !== undefined) throw this.#noMore;
      return this.#begin({});
    } catch (error) {
      if (least === undefined || !(error instanceof NoThread)) throw error;
      return least;
    }
  }

  /** Starts the first one before there is an errand, with more to know than the others; nothing where there can be none. */
  beginAhead(more: object): void {
    if (this.#threads.length > 0) return;
    try {
      this.#begin(more);
    } catch (error) {
      if (!(error instanceof NoThread)) throw error;
    }
  }

  /** The load of the least busy of them since this was asked last; 0 while there is none. */
  takeLeastLoad(): number {
    return this.#threads.reduce(
      (least, thread) => Math.min(least, thread.takeLoad()),
      this.#threads.length === 0 ? 0 : 1,
    );
  }

  close(): void {
    for (const thread of this.#threads) thread.close();
  }

  #begin(more: object): Errands<Errand, Said, Result, Failure, Reply> {
    const thread = new Errands<Errand, Said, Result, Failure, Reply>(this.#name, { ...this.#data, ...more });
    this.#threads.push(thread);
    return thread;
  }
}
