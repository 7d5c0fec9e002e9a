interface Waiting {
  readonly turn: number;
  readonly start: () => void;
}

/** So many things at once, and which of those that wait is next. How many may change at any time. */
export class Lanes {
  #width: number;
  #active = 0;
  readonly #waiting: Waiting[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  get width(): number {
    return this.#width;
  }

  set width(width: number) {
    this.#width = width;
    this.#fill();
  }

  get active(): number {
    return this.#active;
  }

  /** Somebody waits for a lane. */
  get isFull(): boolean {
    return this.#waiting.length > 0;
  }

  /** Runs `work` when there is a lane for it; those of a lower turn first, then those that have waited longer. */
  async run<T>(turn: number, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      const later = this.#waiting.findLastIndex((other) => other.turn <= turn);
      this.#waiting.splice(later + 1, 0, { turn, start });
      this.#fill();
    });
    try {
      return await work();
    } finally {
      this.#active -= 1;
      this.#fill();
    }
  }

  #fill(): void {
    while (this.#active < this.#width) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#active += 1;
      next.start();
    }
  }
}
