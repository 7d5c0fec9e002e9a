import { rmSync } from 'node:fs';
import { toModelCacheError } from '../errors.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { algorithmsOf, whyUnproved } from '../model/digest.ts';
import { mayBeOfTheWay, type FileOrder } from '../store/store.ts';
import type { MadeFile } from '../wire/messages.ts';
import { atMostTwice, type CorruptObject } from './at-most-twice.ts';
import type { FetchTools } from './object-fetch.ts';
import { persistently } from './retry.ts';
import type { VerifiedFile } from './verified-file.ts';
import { WrongContent } from './wrong-content.ts';

/** A small file that is wanted, and where it is made; of one that does not come, nothing is left there. */
export interface SmallFile {
  readonly wanted: CatalogFile;
  readonly path: string;
}

/** What becomes of each file. Neither throws. */
export interface SmallFileEvents<File> {
  readonly onVerified: (file: File, verified: VerifiedFile) => void;
  /** It was tried as often as it is worth it. */
  readonly onFailed: (file: File, error: unknown) => void;
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
   * Some of them, one after the other. One that was replaced meanwhile, or arrived wrong, is fetched once more on another
   * connection; then it is `object-digest-differs`, `object-changed` or `object-size-differs`. Throws only what the signal
   * says; some of them may be neither verified nor failed then.
   */
  async fetch<File extends SmallFile>(files: readonly File[], events: SmallFileEvents<File>): Promise<void> {
    const { pacer, progress } = this.#tools;
    const turn = (this.#turns += 1);
    pacer.asked(files.reduce((sum, { wanted }) => sum + wanted.size, 0));
    for (let left = files; left.length > 0;)
      left = await pacer.smallLanes.run(turn, () => progress.whileWaiting(() => this.#goOn(left, events)));
  }

  /** Up to the first that does not come, which is tried again as often as it is worth it. Returns those behind it. */
  async #goOn<File extends SmallFile>(
    files: readonly File[],
    { onVerified, onFailed }: SmallFileEvents<File>,
  ): Promise<readonly File[]> {
    this.#signal.throwIfAborted();
    const failed = new Map<File, unknown>();
    const left = files.values();
    try {
      await this.#ask(files, false, (made) => {
        const { value: file } = left.next();
        if (file === undefined) return;
        const verified = orError(() => this.#verify(file, made));
        if (verified instanceof Error) failed.set(file, verified);
        else onVerified(file, verified);
      });
    } catch (error) {
      const { value: file } = left.next();
      if (file !== undefined) failed.set(file, error);
    }
    for (const [file, error] of failed) {
      this.#signal.throwIfAborted();
      await this.#tryAgain(file, error).then(
        (verified) => onVerified(file, verified),
        (why: unknown) => {
          this.#expectNoMore(file);
          onFailed(file, why);
        },
      );
    }
    this.#signal.throwIfAborted();
    return [...left];
  }

  #expectNoMore({ wanted: { size } }: SmallFile): void {
    this.#tools.pacer.asked(-size);
    this.#tools.progress.expect(0, -size);
  }

  /** The first try has thrown `error`. */
  #tryAgain(file: SmallFile, error: unknown): Promise<VerifiedFile> {
    const { key } = file.wanted;
    let isFirst = true;
    let onNewConnection = mayBeOfTheWay(error);
    const tryOnce = async (): Promise<VerifiedFile> => {
      if (isFirst) {
        isFirst = false;
        throw error;
      }
      try {
        const made = Promise.withResolvers<MadeFile>();
        await this.#ask([file], onNewConnection, made.resolve);
        return this.#verify(file, await made.promise);
      } catch (why) {
        onNewConnection ||= mayBeOfTheWay(why);
        throw why;
      }
    };
    return atMostTwice({ key, signal: this.#signal, onCorrupt: this.#onCorrupt }, () =>
      persistently(this.#signal, tryOnce),
    );
  }

  async #ask(
    files: readonly SmallFile[],
    onNewConnection: boolean,
    onMade: (made: MadeFile) => void,
  ): Promise<void> {
    const { pacer, progress, ranges } = this.#tools;
    /** Of the one that is under way. */
    let received = 0;
    let count = 0;
    pacer.know(ranges.roundTrip);
    try {
      await ranges.fetchFiles({
        files: files.map(asOrdered),
        onNewConnection,
        signal: this.#signal,
        onBytes: (bytes) => {
          received += bytes;
          progress.addBytes(bytes);
        },
        onMade: (made) => {
          received = 0;
          count += 1;
          progress.sign();
          onMade(made);
        },
        onDiskBusy: () => progress.diskBusy(),
      });
    } catch (error) {
      const { code } = toModelCacheError(error);
      progress.takeBack(received);
      if (code === 'store-throttled') pacer.throttled();
      // It has answered.
      if (code.startsWith('object-')) progress.sign();
      throw error;
    }
    if (count < files.length) throw new Error(`${count} files were made of ${files.length}`);
  }

  #verify({ wanted, path }: SmallFile, made: MadeFile): VerifiedFile {
    const { key, size, digests = {} } = wanted;
    const mismatch = whyUnproved(digests, made.digests);
    // Every digest that is wanted was made. Those are kept, of which there are texts already.
    if (mismatch === undefined) return { digests, isFlushed: false };
    this.#tools.progress.takeBack(size);
    rmSync(path, { force: true });
    throw new WrongContent(key, mismatch, made.etag);
  }
}

function orError<T>(act: () => T): T | Error {
  try {
    return act();
  } catch (error) {
    return error as Error;
  }
}

function asOrdered({ wanted, path }: SmallFile): FileOrder {
  const { key, size, executable, digests = {} } = wanted;
  return { key, size, path, mode: executable ? 0o777 : 0o666, algorithms: algorithmsOf(digests) };
}
