import type { FileHandle } from 'node:fs/promises';
import { DigestThreads } from '../cache/digest-threads.ts';
import { loadBlake3 } from '../blake3.ts';
import { BLOCK_BYTES, wholeBlocks, type Arrival } from '../model/arrival.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { algorithmsOf, whyUnproved, type Digests } from '../model/digest.ts';
import type { ByteRange } from '../model/parts.ts';
import { rangesWithout, type Found, type PartDigests, type Proof } from '../model/proof.ts';
import type { Progress } from './progress.ts';
import type { Mismatch } from './wrong-content.ts';

/** What became of hashing a file. */
export interface Proved {
  readonly digests: Digests;
  readonly mismatch: Mismatch | undefined;
  /** Places of parts that are wrong, where they were compared. */
  readonly wrong?: readonly number[];
}

type Wanted = Pick<CatalogFile, 'size' | 'digests' | 'parts'>;

/** Hashes files beside their arrival, and says whether they are what they should be. */
export class Prover {
  readonly #threads = new DigestThreads();
  readonly #progress: Progress;
  readonly #partsProve: boolean;
  readonly #signal: AbortSignal;

  /** Whether digests of its parts prove a file: where what tells them is itself pinned. */
  constructor(progress: Progress, partsProve: boolean, signal: AbortSignal) {
    this.#progress = progress;
    this.#partsProve = partsProve;
    this.#signal = signal;
  }

  close(): void {
    this.#threads.close();
  }

  /** By which a file is proved; undefined: as a whole. */
  partsOf({ size, parts }: Pick<CatalogFile, 'size' | 'parts'>): PartDigests | undefined {
    const isOfUse = parts !== undefined && size > 0 && parts.size % BLOCK_BYTES === 0;
    return this.#partsProve && isOfUse && loadBlake3() !== undefined ? parts : undefined;
  }

  /** Settles when nothing of the file is read any more: when all of it was hashed, or its arrival was ended. */
  async prove(wanted: Wanted, file: FileHandle, arrival: Arrival): Promise<Proved> {
    const { size, digests } = wanted;
    if (digests === undefined) return { digests: {}, mismatch: undefined };
    const parts = this.partsOf(wanted);
    if (parts !== undefined && arrival.isProved({ start: 0, end: size }))
      return { digests, mismatch: undefined };
    const found = parts && (await this.#follow(file, arrival, { kind: 'parts', parts }));
    if (found?.kind === 'parts')
      return { digests, mismatch: mismatchOfPart(found.wrong), wrong: found.wrong };
    const whole = await this.#follow(file, arrival, { kind: 'whole', algorithms: algorithmsOf(digests) });
    const made = whole?.kind === 'whole' ? whole.digests : {};
    return { digests: made, mismatch: whyUnproved(digests, made) };
  }

  /**
   * Of a file that is wrong, what is right by the digests of its parts: nothing where none are known. `wrong` where they
   * were compared already.
   */
  async rightParts(
    { size, parts }: Pick<CatalogFile, 'size' | 'parts'>,
    file: FileHandle,
    arrival: Arrival,
    wrong?: readonly number[],
  ): Promise<readonly ByteRange[]> {
    if (parts === undefined) return [];
    if (wrong !== undefined) return wholeBlocks(size, rangesWithout(size, parts, wrong));
    const stop = (): void => arrival.end();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      if (this.#signal.aborted) stop();
      const found = await this.#follow(file, arrival, { kind: 'parts', parts });
      // Who says that all is right is wrong himself.
      const isOfUse = found?.kind === 'parts' && found.wrong.length > 0;
      return isOfUse ? wholeBlocks(size, rangesWithout(size, parts, found.wrong)) : [];
    } finally {
      this.#signal.removeEventListener('abort', stop);
    }
  }

  /** A read from a disk that does not answer cannot be told to stop. */
  unlessStopped<T>(work: Promise<T>): Promise<T> {
    const stopped = Promise.withResolvers<never>();
    const stop = (): void => stopped.reject(this.#signal.reason);
    if (this.#signal.aborted) stop();
    this.#signal.addEventListener('abort', stop, { once: true });
    return Promise.race([work, stopped.promise]).finally(() =>
      this.#signal.removeEventListener('abort', stop),
    );
  }

  #follow(file: FileHandle, { memory }: Arrival, proof: Proof): Promise<Found | undefined> {
    const onDisk = (isStuck: boolean): void => {
      if (!isStuck) this.#progress.diskSign();
    };
    const errand = { fd: file.fd, arrival: memory, proof };
    return this.#progress.whileReadingDisk(() => this.#threads.follow(errand, onDisk));
  }
}

function mismatchOfPart([place]: readonly number[]): Mismatch | undefined {
  if (place === undefined) return undefined;
  return { wanted: `part ${place + 1} as its digest says`, found: 'other bytes' };
}
