import { rmSync } from 'node:fs';
import { toModelCacheError } from '../errors.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { algorithmsOf, digestsAgree, firstMismatch } from '../model/digest.ts';
import { isWorthRetrying, type FileOrder } from '../store/store.ts';
import type { MadeFile } from '../wire/messages.ts';
import { atMostTwice, type CorruptObject } from './at-most-twice.ts';
import type { FetchTools } from './object-fetch.ts';
import { ATTEMPTS } from './part-fetch.ts';
import { withRetries } from './retry.ts';
import type { VerifiedFile } from './verified-file.ts';
import { WrongContent } from './wrong-content.ts';

/** A small file that is wanted, and where it is made; of one that does not come, nothing is left there. */
export interface SmallFile {
  readonly wanted: CatalogFile;
  readonly path: string;
}

/** Fetches small files: whole, in one request each, hashed by whoever receives them. */
export class SmallFiles {
  readonly #tools: FetchTools;
  readonly #signal: AbortSignal;
  readonly #onCorrupt: (object: CorruptObject) => void;
  #turns = 0;

  constructor(tools: FetchTools, signal: AbortSignal, onCorrupt: (object: CorruptObject) => void) {
    this.#tools = tools;
    this.#signal = signal;
    this.#onCorrupt = onCorrupt;
  }

  /**
   * Some of them, one after the other, each tried once. `onVerified` hears of each as soon as it is there, and does not
   * throw. Returns the others: each with what went wrong, or with undefined where it was not asked for any more.
   */
  async together<File extends SmallFile>(
    files: readonly File[],
    onVerified: (file: File, verified: VerifiedFile) => void,
  ): Promise<ReadonlyMap<File, unknown>> {
    const others = new Map<File, unknown>(files.map((file) => [file, undefined]));
    const left = files.values();
    const onMade = (made: MadeFile): void => {
      const { value: file } = left.next();
      if (file === undefined) return;
      try {
        const verified = this.#verify(file, made);
        others.delete(file);
        onVerified(file, verified);
      } catch (error) {
        others.set(file, error);
      }
    };
    try {
      await this.#inLane(files, () => this.#fetch(files, false, onMade));
    } catch (error) {
      this.#signal.throwIfAborted();
      const { value: failed } = left.next();
      if (failed !== undefined) others.set(failed, error);
    }
    return others;
  }

  /**
   * One of them, tried as often as it is worth it. A file that was replaced meanwhile, or arrived wrong, is fetched once
   * more on another connection; then it is `object-digest-differs`, `object-changed` or `object-size-differs`. `failed` is
   * what the first try has thrown, if it was made before.
   */
  alone(file: SmallFile, failed?: unknown): Promise<VerifiedFile> {
    const { key } = file.wanted;
    let known = failed;
    const tryOnce = async (onNewConnection: boolean): Promise<VerifiedFile> => {
      const error = known;
      known = undefined;
      if (error !== undefined) throw error;
      const made = Promise.withResolvers<MadeFile>();
      await this.#fetch([file], onNewConnection, made.resolve);
      return this.#verify(file, await made.promise);
    };
    return atMostTwice({ key, signal: this.#signal, onCorrupt: this.#onCorrupt }, (onNewConnection) => {
      let tries = 0;
      return this.#inLane([file], () =>
        withRetries(ATTEMPTS, isWorthRetrying, this.#signal, () => {
          tries += 1;
          return tryOnce(onNewConnection || tries > 1);
        }),
      );
    });
  }

  #inLane<T>(files: readonly SmallFile[], fetch: () => Promise<T>): Promise<T> {
    const { pacer, progress } = this.#tools;
    return pacer.smallLanes.run((this.#turns += 1), () => {
      this.#signal.throwIfAborted();
      pacer.asked(files.reduce((sum, { wanted }) => sum + wanted.size, 0));
      return progress.whileWaiting(fetch);
    });
  }

  async #fetch(
    files: readonly SmallFile[],
    onNewConnection: boolean,
    onMade: (made: MadeFile) => void,
  ): Promise<void> {
    const { pacer, progress, ranges } = this.#tools;
    /** Of the one that is under way. */
    let received = 0;
    pacer.know(ranges.roundTrip);
    try {
      await ranges.fetchFiles({
        files: files.map(asOrdered),
        onNewConnection,
        signal: this.#signal,
        onBytes: (count) => {
          received += count;
          progress.addBytes(count);
        },
        onMade: (made) => {
          received = 0;
          onMade(made);
        },
        onDiskBusy: () => progress.diskBusy(),
      });
    } catch (error) {
      progress.takeBack(received);
      if (toModelCacheError(error).code === 'store-throttled') pacer.throttled();
      throw error;
    }
  }

  #verify({ wanted, path }: SmallFile, made: MadeFile): VerifiedFile {
    const { key, size, digests = {} } = wanted;
    // Every digest that is wanted was made. Those are kept, of which there are texts already.
    if (digestsAgree(digests, made.digests)) return { digests, isFlushed: false };
    this.#tools.progress.takeBack(size);
    rmSync(path, { force: true });
    const mismatch = firstMismatch(digests, made.digests) ?? { wanted: 'a digest', found: 'none' };
    throw new WrongContent(key, mismatch, made.etag);
  }
}

function asOrdered({ wanted, path }: SmallFile): FileOrder {
  const { key, size, executable, digests = {} } = wanted;
  return { key, size, path, mode: executable ? 0o777 : 0o666, algorithms: algorithmsOf(digests) };
}
