import type { Blake3 } from '../blake3.ts';
import type { PartDigests } from '../model/proof.ts';

/** Running digests of the parts of a file, as its bytes pass. */
export class PartHasher {
  readonly #partSize: number;
  readonly #blake3: () => Blake3;
  readonly #digests: string[] = [];
  #running: Blake3 | undefined;
  #left = 0;

  constructor(partSize: number, blake3: () => Blake3) {
    this.#partSize = partSize;
    this.#blake3 = blake3;
  }

  update(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#running === undefined) this.#left = this.#partSize;
      this.#running ??= this.#blake3();
      const piece = bytes.subarray(at, at + this.#left);
      this.#running.update(piece);
      at += piece.length;
      this.#left -= piece.length;
      if (this.#left === 0) this.#endPart();
    }
  }

  parts(): PartDigests {
    this.#endPart();
    return { size: this.#partSize, digests: this.#digests };
  }

  #endPart(): void {
    if (this.#running !== undefined) this.#digests.push(this.#running.digest('hex'));
    this.#running = undefined;
  }
}
