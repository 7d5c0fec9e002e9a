import type { Blake3 } from '../blake3.ts';
import { PartHasher } from '../model/part-hasher.ts';
import type { ByteRange } from '../model/parts.ts';
import type { PartsOfRange } from '../model/proof.ts';

/** Proves the parts of an object that lie within a range, while the range comes. */
export class ArrivingParts {
  readonly #parts: PartsOfRange;
  readonly #size: number;
  readonly #hasher: PartHasher;
  #place: number;
  #proved: ByteRange[] = [];

  /** `size` of the whole object, in bytes. */
  constructor(parts: PartsOfRange, size: number, blake3: () => Blake3) {
    this.#parts = parts;
    this.#size = size;
    this.#place = parts.first;
    this.#hasher = new PartHasher(parts.size, blake3, (digest) => this.#onPart(digest));
  }

  /** The bytes at `position`, which follow those before; returns the parts that are whole and right with them. */
  take(bytes: Buffer, position: number): readonly ByteRange[] {
    const start = this.#parts.first * this.#parts.size;
    const end = position + bytes.length;
    if (end > start) this.#hasher.update(bytes.subarray(Math.max(0, start - position)));
    if (end === this.#size) this.#hasher.end();
    const proved = this.#proved;
    this.#proved = [];
    return proved;
  }

  #onPart(digest: string): void {
    const { size, first, digests } = this.#parts;
    const start = this.#place * size;
    if (digest === digests[this.#place - first])
      this.#proved.push({ start, end: Math.min(this.#size, start + size) });
    this.#place += 1;
  }
}
