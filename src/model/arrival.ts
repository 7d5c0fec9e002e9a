import type { ByteRange } from './parts.ts';

/** What of a file is there, for readers in other threads. It crosses to them as it is. */
export interface ArrivalMemory {
  /** Bytes of the file. */
  readonly size: number;
  /** The state, then for each block whether all of it is there. */
  readonly cells: SharedArrayBuffer;
}

export const BLOCK_BYTES = 64 * 1024;

const STATE = 0;
const FIRST_BLOCK = 1;
const MISSING = 0;
const WHOLE = 1;
/** Whole, and of a part that has been proved on its way. */
const PROVED = 2;
const OPEN = 0;
const ENDED = 1;
/** Who ends it may come between a look at the state and the wait. */
const WAIT_MS = 100;

/**
 * Which blocks of a file have been written, so that it can be hashed from the front while the rest still comes. Each
 * block is filled from its beginning; several are filled side by side.
 */
export class Arrival {
  readonly memory: ArrivalMemory;
  readonly #size: number;
  readonly #cells: Int32Array;

  constructor(memory: ArrivalMemory) {
    this.memory = memory;
    this.#size = memory.size;
    this.#cells = new Int32Array(memory.cells);
  }

  /** Of a file of `size` bytes; of what is there of it already, whole blocks count. */
  static of(size: number, done: readonly ByteRange[] = []): Arrival {
    const blocks = Math.ceil(size / BLOCK_BYTES);
    const cells = new SharedArrayBuffer((FIRST_BLOCK + blocks) * Int32Array.BYTES_PER_ELEMENT);
    const arrival = new Arrival({ size, cells });
    for (const { start, end } of wholeBlocks(size, done)) arrival.add(start, end);
    return arrival;
  }

  /** The bytes before `to` have been written, from `from` on or from before it, to the beginning of its block. */
  add(from: number, to: number): void {
    const end = to === this.#size ? this.#blocks : Math.floor(to / BLOCK_BYTES);
    for (let block = Math.floor(from / BLOCK_BYTES); block < end; block += 1) {
      Atomics.compareExchange(this.#cells, FIRST_BLOCK + block, MISSING, WHOLE);
      Atomics.notify(this.#cells, FIRST_BLOCK + block);
    }
  }

  /** All of a part has been written, and is what it should be. It begins with a block, and ends with one. */
  prove({ start, end }: ByteRange): void {
    this.#eachBlock(start, end, (cell) => {
      Atomics.store(this.#cells, cell, PROVED);
      Atomics.notify(this.#cells, cell);
    });
  }

  /** Somebody else may have written there since. */
  doubt({ start, end }: ByteRange): void {
    this.#eachBlock(start, end, (cell) => void Atomics.compareExchange(this.#cells, cell, PROVED, WHOLE));
  }

  isProved({ start, end }: ByteRange): boolean {
    let isProved = true;
    this.#eachBlock(start, end, (cell) => (isProved &&= Atomics.load(this.#cells, cell) === PROVED));
    return isProved;
  }

  /** Nobody is to wait any more. */
  end(): void {
    Atomics.store(this.#cells, STATE, ENDED);
    for (let cell = FIRST_BLOCK; cell < this.#cells.length; cell += 1) Atomics.notify(this.#cells, cell);
  }

  get isEnded(): boolean {
    return Atomics.load(this.#cells, STATE) !== OPEN;
  }

  /** All of it is there. */
  get isWhole(): boolean {
    return !this.#cells.includes(MISSING, FIRST_BLOCK);
  }

  /** The end of what is there from `position` on, without a gap, and at most `most` bytes further. */
  reachFrom(position: number, most: number): number {
    let end = position;
    while (end < Math.min(this.#size, position + most) && this.#isThere(end)) end = this.#endOfBlock(end);
    return Math.min(end, position + most);
  }

  /** Resolves when the block at `position` is there, or when it has ended. */
  async block(position: number): Promise<void> {
    while (!this.#isThere(position) && !this.isEnded) {
      const cell = FIRST_BLOCK + Math.floor(position / BLOCK_BYTES);
      const { async, value } = Atomics.waitAsync(this.#cells, cell, MISSING, WAIT_MS);
      if (async) await value;
    }
  }

  #isThere(position: number): boolean {
    return Atomics.load(this.#cells, FIRST_BLOCK + Math.floor(position / BLOCK_BYTES)) !== MISSING;
  }

  #eachBlock(start: number, end: number, act: (cell: number) => void): void {
    for (let block = Math.floor(start / BLOCK_BYTES); block < Math.ceil(end / BLOCK_BYTES); block += 1)
      act(FIRST_BLOCK + block);
  }

  #endOfBlock(position: number): number {
    return Math.min(this.#size, (Math.floor(position / BLOCK_BYTES) + 1) * BLOCK_BYTES);
  }

  get #blocks(): number {
    return this.#cells.length - FIRST_BLOCK;
  }
}

/** What a killed run has left, cut down to whole blocks: the rest is missing. */
export function wholeBlocks(size: number, done: readonly ByteRange[]): readonly ByteRange[] {
  return done.flatMap(({ start, end }) => {
    const first = Math.ceil(start / BLOCK_BYTES) * BLOCK_BYTES;
    const last = end === size ? size : Math.floor(end / BLOCK_BYTES) * BLOCK_BYTES;
    return first < last ? [{ start: first, end: last }] : [];
  });
}
