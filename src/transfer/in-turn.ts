import { createPace } from '../cache/pace.ts';

/** Short synchronous work, one after the other as it comes, with pauses in which timers and signals have their turn. */
export class InTurn {
  readonly #pace = createPace();
  readonly #waiting: (() => void)[] = [];
  #isRunning = false;

  /** `act` does not throw. */
  put(act: () => void): void {
    this.#waiting.push(act);
    if (!this.#isRunning) void this.#run();
  }

  /** All that was put before is done. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.put(resolve));
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let act = this.#waiting.shift(); act !== undefined; act = this.#waiting.shift()) {
      const pause = this.#pace();
      if (pause !== undefined) await pause;
      act();
    }
    this.#isRunning = false;
  }
}
