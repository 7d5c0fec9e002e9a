export interface Clock {
  /** Milliseconds, which never go back. */
  readonly now: () => number;
  /** Ends early, without an error, when `signal` aborts. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export const realClock: Clock = {
  // `performance` is loaded when it is first used, and takes a megabyte.
  now: () => process.uptime() * 1000,
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    }),
};

/** Sleeps that what happens meanwhile can end. */
export class Sleeper {
  readonly #clock: Clock;
  #controller = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the sleep, or the next one when nobody sleeps. */
  wake(): void {
    this.#controller.abort();
  }

  async sleep(milliseconds: number): Promise<void> {
    await this.#clock.sleep(milliseconds, this.#controller.signal);
    if (this.#controller.signal.aborted) this.#controller = new AbortController();
  }

  /** Sleeps until `what` has come to its end, or until `at`, or until `isCut`. Whether the first came true. */
  async until(what: Promise<unknown>, at: number, isCut = (): boolean => false): Promise<boolean> {
    const state = { hasEnded: false };
    const onEnd = (): void => {
      state.hasEnded = true;
      this.wake();
    };
    what.then(onEnd, onEnd);
    while (!state.hasEnded && !isCut()) {
      const left = at - this.#clock.now();
      if (left <= 0) break;
      await this.sleep(left);
    }
    return state.hasEnded;
  }
}
