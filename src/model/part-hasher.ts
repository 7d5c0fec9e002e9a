import type { Blake3 } from '../blake3.ts';

/** Running digests of the parts of a file, as its bytes pass. */
export class PartHasher {
  readonly #partSize: number;
  readonly #blake3: () => Blake3;
  readonly #onPart: (digest: string) => void;
  #running: Blake3 | undefined;
  #left = 0;

  /** `onPart` hears the digest of each part, in order. */
  constructor(partSize: number, blake3: () => Blake3, onPart: (digest: string) => void) {
    this.#partSize = partSize;
    this.#blake3 = blake3;
    this.#onPart = onPart;
  }

  update(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#running === undefined) this.#left = this.#partSize;
      this.#running ??= this.#blake3();
      const piece = bytes.subarray(at, at + this.#left);
      this.#running.update(piece);
      at += piece.length;
      this.#left -= piece.length;
      if (this.#left === 0) this.end();
    }
  }

  /** The last part is shorter. */
  end(): void {
    if (this.#running !== undefined) this.#onPart(this.#running.digest('hex'));
    this.#running = undefined;
  }
}
