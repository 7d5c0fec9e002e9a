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
/** Missing, and somebody is writing to it at this moment. */
const WRITING = -1;
const MISSING = 0;
const WHOLE = 1;
/** Whole, and of a part that has been proved on its way. */
const PROVED = 2;
const OPEN = 0;
const ENDED = 1;
/** Who ends it may come between a look at the state and the wait. */
const WAIT_MS = 100;
/** A write takes less. Nobody is woken when it ends: that two want to write to one block is rare. */
const WRITE_MS = 1;

/**
 * Which blocks of a file have been written, so that it can be hashed from the front while the rest still comes. Each
 * block is filled from its beginning; several are filled side by side, and one by several who bring the same bytes. What
 * is whole may have been hashed already, and nobody writes to it any more.
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
    for (const range of wholeBlocks(size, done)) arrival.writeMissing(range, () => undefined);
    return arrival;
  }

  /**
   * These bytes have come, and what is before them in their block is there. `write` is to write them, or those pieces of
   * them whose blocks are not whole; nobody else writes there meanwhile. Returns whether those were all of them. Throws
   * what `write` throws.
   */
  writeMissing({ start, end }: ByteRange, write: (piece: ByteRange) => void): boolean {
    let written = 0;
    for (let position = start; position < end;) {
      const held = this.#hold(position, end);
      if (held.start < held.end) {
        let reached = held.start;
        try {
          write(held);
          reached = held.end;
        } finally {
          this.#letGo(held, reached);
        }
        written += reached - held.start;
      } else if (held.start < end) Atomics.wait(this.#cells, cellAt(held.start), WRITING, WRITE_MS);
      position = held.end;
    }
    return written === end - start;
  }

  /** The same, for who may not keep his thread waiting. */
  async writeMissingAside(
    { start, end }: ByteRange,
    write: (piece: ByteRange) => Promise<void>,
  ): Promise<void> {
    for (let position = start; position < end;) {
      const held = this.#hold(position, end);
      if (held.start < held.end) {
        let reached = held.start;
        try {
          await write(held);
          reached = held.end;
        } finally {
          this.#letGo(held, reached);
        }
      } else if (held.start < end) await this.#changed(cellAt(held.start), WRITING, WRITE_MS);
      position = held.end;
    }
  }

  /** The first piece of it whose blocks are not whole; empty where all are, or somebody else writes to the first. */
  #hold(from: number, to: number): ByteRange {
    let start = from;
    while (start < to && this.#isThere(start)) start = Math.min(to, this.#endOfBlock(start));
    let end = start;
    while (end < to && Atomics.compareExchange(this.#cells, cellAt(end), MISSING, WRITING) === MISSING)
      end = Math.min(to, this.#endOfBlock(end));
    return { start, end };
  }

  /** What is before `reached` has been written. */
  #letGo({ start, end }: ByteRange, reached: number): void {
    for (let position = start; position < end; position = this.#endOfBlock(position)) {
      const isWhole = this.#endOfBlock(position) <= reached;
      Atomics.store(this.#cells, cellAt(position), isWhole ? WHOLE : MISSING);
      if (isWhole) Atomics.notify(this.#cells, cellAt(position));
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
    return this.#cells.every((value, cell) => cell < FIRST_BLOCK || value > MISSING);
  }

  /** The end of what is there from `position` on, without a gap, and at most `most` bytes further. */
  reachFrom(position: number, most: number): number {
    let end = position;
    while (end < Math.min(this.#size, position + most) && this.#isThere(end)) end = this.#endOfBlock(end);
    return Math.min(end, position + most);
  }

  /** Resolves when the block at `position` is there, or when it has ended. */
  async block(position: number): Promise<void> {
    const cell = cellAt(position);
    for (;;) {
      const value = Atomics.load(this.#cells, cell);
      if (value > MISSING || this.isEnded) return;
      await this.#changed(cell, value, WAIT_MS);
    }
  }

  async #changed(cell: number, from: number, withinMs: number): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#cells, cell, from, withinMs);
    if (async) await value;
  }

  #isThere(position: number): boolean {
    return Atomics.load(this.#cells, cellAt(position)) > MISSING;
  }

  #eachBlock(start: number, end: number, act: (cell: number) => void): void {
    for (let block = Math.floor(start / BLOCK_BYTES); block < Math.ceil(end / BLOCK_BYTES); block += 1)
      act(FIRST_BLOCK + block);
  }

  #endOfBlock(position: number): number {
    return Math.min(this.#size, (Math.floor(position / BLOCK_BYTES) + 1) * BLOCK_BYTES);
  }
}

function cellAt(position: number): number {
  return FIRST_BLOCK + Math.floor(position / BLOCK_BYTES);
}

/** What a killed run has left, cut down to whole blocks: the rest is missing. */
export function wholeBlocks(size: number, done: readonly ByteRange[]): readonly ByteRange[] {
  return done.flatMap(({ start, end }) => {
    const first = Math.ceil(start / BLOCK_BYTES) * BLOCK_BYTES;
    const last = end === size ? size : Math.floor(end / BLOCK_BYTES) * BLOCK_BYTES;
    return first < last ? [{ start: first, end: last }] : [];
  });
}
