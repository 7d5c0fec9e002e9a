/** Sizes are rounded up to this, so that files of about the same size use the same memory. */
const GRAIN = 64 * 1024;
/** Kept for the next ones. */
const MOST_SPARE = 8 * 1024 * 1024;

/** Memory that is used again: fresh memory for each of many files would pile up until it is collected. */
export class SpareMemory {
  readonly #spare: Buffer[] = [];
  #bytes = 0;

  /** Lends memory of so many bytes. What fails may still be reading from it: that memory is not used again. */
  async lend<T>(size: number, work: (memory: Buffer) => Promise<T>): Promise<T> {
    const memory = this.#take(size);
    const result = await work(memory.subarray(0, size));
    if (this.#bytes + memory.length <= MOST_SPARE) {
      this.#spare.push(memory);
      this.#bytes += memory.length;
    }
    return result;
  }

  #take(size: number): Buffer {
    const place = this.#spare.findIndex(({ length }) => length >= size);
    if (place < 0) return Buffer.allocUnsafeSlow(Math.ceil(size / GRAIN) * GRAIN);
    const [memory = Buffer.alloc(0)] = this.#spare.splice(place, 1);
    this.#bytes -= memory.length;
    return memory;
  }
}
