/** So many things at once, and so many bytes of them. What is larger than all of it has it alone. */
export class ByteBudget {
  readonly #most: { readonly bytes: number; readonly count: number };
  readonly #waiting: { readonly bytes: number; readonly start: () => void }[] = [];
  #bytes = 0;
  #count = 0;

  constructor(most: { readonly bytes: number; readonly count: number }) {
    this.#most = most;
  }

  /** Runs `work` when there is room for it; nobody is overtaken. */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      this.#waiting.push({ bytes, start });
      this.#fill();
    });
    try {
      return await work();
    } finally {
      this.#bytes -= bytes;
      this.#count -= 1;
      this.#fill();
    }
  }

  #fill(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || this.#count >= this.#most.count) return;
      if (this.#count > 0 && this.#bytes + next.bytes > this.#most.bytes) return;
      this.#waiting.shift();
      this.#bytes += next.bytes;
      this.#count += 1;
      next.start();
    }
  }
}
