import { createHash, type Hash } from 'node:crypto';
import type { DigestAlgorithm, Digests } from './digest.ts';

/** A running digest of bytes as they pass. git's name of a blob needs the size beforehand. */
export class Digester {
  readonly #sha256: Hash | undefined;
  readonly #gitSha1: Hash | undefined;

  constructor(algorithms: readonly DigestAlgorithm[], size: number) {
    this.#sha256 = algorithms.includes('sha256') ? createHash('sha256') : undefined;
    this.#gitSha1 = algorithms.includes('git-sha1') ? createHash('sha1').update(`blob ${size}\0`) : undefined;
  }

  update(bytes: Buffer): void {
    this.#sha256?.update(bytes);
    this.#gitSha1?.update(bytes);
  }

  digests(): Digests {
    return {
      ...(this.#sha256 && { sha256: this.#sha256.digest('hex') }),
      ...(this.#gitSha1 && { gitSha1: this.#gitSha1.digest('hex') }),
    };
  }
}
