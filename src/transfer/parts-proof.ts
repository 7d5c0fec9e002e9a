import type { OwnParts } from '../model/part-sharing.ts';
import type { PartsFound } from '../cache/part-digests.ts';

/** The proof of one file, while it is made: part after part is known, and at last whether the whole is what it should be. */
export class PartsProof implements OwnParts {
  readonly size: number;
  readonly partSize: number;
  /** Of the parts that are known, from the first one on. */
  readonly md5s: string[] = [];
  /** What was found; rejects when the file is not what it should be. */
  readonly whole: Promise<PartsFound>;
  #isWhole = false;
  #failure: { readonly error: unknown } | undefined;
  #more = Promise.withResolvers<void>();

  /** `prove` is given what is to hear of each part. */
  constructor(size: number, partSize: number, prove: (onPart: (md5: string) => void) => Promise<PartsFound>) {
    this.size = size;
    this.partSize = partSize;
    this.whole = prove((md5) => {
      this.md5s.push(md5);
      this.#tell();
    });
    this.whole.then(
      () => {
        this.#isWhole = true;
        this.#tell();
      },
      (error: unknown) => {
        this.#failure = { error };
        this.#tell();
      },
    );
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Why there will be no proof. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** When more of it is known than now. */
  more(): Promise<void> {
    return this.#more.promise;
  }

  #tell(): void {
    this.#more.resolve();
    this.#more = Promise.withResolvers<void>();
  }
}
