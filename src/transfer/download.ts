import { rm } from 'node:fs/promises';
import { Flusher } from '../cache/flusher.ts';
import type { Staging } from '../cache/staging.ts';
import { toModelCacheError } from '../errors.ts';
import { Arrival, wholeBlocks } from '../model/arrival.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { algorithmsOf, firstMismatch, type Digests } from '../model/digest.ts';
import { bytesIn, missingRanges, type Journal } from '../model/partial.ts';
import type { PaceBounds } from '../model/pace.ts';
import type { ByteRange } from '../model/parts.ts';
import { rangesByGet } from '../store/ranges-by-get.ts';
import { isWorthRetrying, type FetchedRange, type Store } from '../store/store.ts';
import { withinOpenFiles } from './files-at-once.ts';
import { ObjectFetch, type FetchTools } from './object-fetch.ts';
import { Pacer } from './pacer.ts';
import { ATTEMPTS } from './part-fetch.ts';
import type { Progress } from './progress.ts';
import { Prover, type Proved } from './prover.ts';
import { withRetries } from './retry.ts';
import { WrongContent } from './wrong-content.ts';

/** Content that is staged and has been proved by its digests. Only this is published. */
export interface VerifiedFile {
  readonly digests: Digests;
  /** A power cut cannot take it back. */
  readonly isFlushed: boolean;
}

/** An object that was read whole twice, on different connections, and was wrong both times. */
export interface CorruptObject {
  readonly key: string;
  readonly etag: string;
}

export interface DownloadEvents {
  readonly onCorrupt: (object: CorruptObject) => void;
  /** So many bytes of a file needed no fetching: a killed run had left them. */
  readonly onResumed: (file: CatalogFile, bytes: number) => void;
}

export interface DownloadSettings {
  /** Whether digests of its parts prove a file: where what tells them is itself pinned. */
  readonly partsProve: boolean;
  readonly bounds: PaceBounds;
}

/** Fetches files from a store, in parts, several at once; what it returns is proved. */
export class Downloader {
  readonly #tools: FetchTools;
  readonly #signal: AbortSignal;
  readonly #events: DownloadEvents;
  readonly #flusher = new Flusher();
  readonly #prover: Prover;
  #turns = 0;

  constructor(
    store: Store,
    progress: Progress,
    { partsProve, bounds }: DownloadSettings,
    signal: AbortSignal,
    events: DownloadEvents,
  ) {
    const ranges = store.ranges ?? rangesByGet(store);
    this.#tools = { ranges, progress, pacer: new Pacer(ranges, progress, withinOpenFiles(bounds)) };
    this.#prover = new Prover(progress, partsProve, signal);
    this.#signal = signal;
    this.#events = events;
  }

  /** Nothing is fetched any more. */
  close(): void {
    this.#tools.pacer.stop();
    this.#prover.close();
  }

  /**
   * Fills a staged file and proves it. A file that was replaced meanwhile, or arrived wrong, is fetched once more on
   * other connections, all of it but the parts that are known to be right; then it is `object-digest-differs`,
   * `object-changed` or `object-size-differs`.
   * What a killed run has left of it says nothing about the object when it turns out wrong.
   */
  async download(wanted: CatalogFile, staging: Staging): Promise<VerifiedFile> {
    const turn = (this.#turns += 1);
    const resumed = staging.found && (await this.#resume(wanted, staging, staging.found, turn));
    if (resumed !== undefined) return resumed;
    return this.#atMostTwice(wanted.key, (onNewConnection, done) =>
      this.#attempt(wanted, staging, { turn, onNewConnection, etag: undefined, done }),
    );
  }

  /** The same for a small file, which is made for it at `path`, and is gone when this throws. */
  async downloadSmall(wanted: CatalogFile, path: string): Promise<VerifiedFile> {
    const turn = (this.#turns += 1);
    return this.#atMostTwice(wanted.key, (onNewConnection) =>
      this.#fetchSmall(wanted, path, turn, onNewConnection),
    );
  }

  /** `attempt` is called a second time, on new connections, where that may help; `right` is there already. */
  #atMostTwice(
    key: string,
    attempt: (onNewConnection: boolean, right: readonly ByteRange[]) => Promise<VerifiedFile>,
  ): Promise<VerifiedFile> {
    const wrong: (string | undefined)[] = [];
    let onNewConnection = false;
    let right: readonly ByteRange[] = [];
    return withRetries(2, isWorthAnotherStart, this.#signal, async () => {
      try {
        return await attempt(onNewConnection, right);
      } catch (error) {
        onNewConnection = true;
        right = error instanceof WrongContent ? error.right : [];
        if (error instanceof WrongContent) wrong.push(error.etag);
        const [first, second] = wrong;
        if (first !== undefined && first === second) this.#events.onCorrupt({ key, etag: first });
        throw error;
      }
    });
  }

  /** Goes on where a killed run was; undefined when it has to be fetched from the start. */
  async #resume(
    wanted: CatalogFile,
    staging: Staging,
    found: Journal,
    turn: number,
  ): Promise<VerifiedFile | undefined> {
    const done = wholeBlocks(wanted.size, found.done);
    const bytes = bytesIn(done);
    try {
      const start = { turn, onNewConnection: false, etag: found.etag, done };
      const verified = await this.#attempt(wanted, staging, start);
      this.#events.onResumed(wanted, bytes);
      return verified;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isWorthAnotherStart(error)) throw error;
      return undefined;
    }
  }

  /** The file is hashed while it arrives. */
  async #attempt(wanted: CatalogFile, staging: Staging, start: Start): Promise<VerifiedFile> {
    const { turn, onNewConnection, etag, done } = start;
    const { size } = wanted;
    const { pacer, progress, ranges } = this.#tools;
    const parts = ranges.provesParts ? this.#prover.partsOf(wanted) : undefined;
    const arrival = Arrival.of(size, done);
    const missing = missingRanges(size, done);
    const object = { wanted, staging, arrival, parts, done, missing, etag, onNewConnection, turn };
    const fetch = new ObjectFetch(object, this.#tools, this.#signal);
    const prove = (): Promise<Proved> => {
      const work = this.#prover.prove(wanted, staging.file, arrival);
      work.catch(() => undefined);
      return work;
    };
    let proving = parts === undefined ? prove() : undefined;
    progress.expect(0, -bytesIn(done));
    try {
      await fetch.run();
      // Else whoever hashes it would wait for ever.
      if (!arrival.isWhole) throw new Error(`bytes of ${wanted.key} are missing`);
      // What was not proved on its way is read now.
      proving ??= prove();
      const flushing = staging.needsFlush ? this.#flusher.flush(staging.path, this.#signal) : false;
      const [proved, flushed] = await Promise.allSettled([this.#prover.unlessStopped(proving), flushing]);
      if (proved.status === 'rejected') throw proved.reason;
      if (flushed.status === 'rejected') throw flushed.reason;
      const { digests, mismatch, wrong } = proved.value;
      if (mismatch === undefined) return { digests, isFlushed: flushed.value };
      const right = await this.#prover.rightParts(wanted, staging.file, arrival, wrong);
      throw new WrongContent(wanted.key, mismatch, fetch.etag, right);
    } catch (error) {
      arrival.end();
      // Its descriptor is about to be closed.
      await proving?.catch(() => undefined);
      pacer.asked(-fetch.asked);
      progress.takeBack(fetch.received);
      progress.expect(0, bytesIn(done));
      throw error;
    }
  }

  async #fetchSmall(
    { key, size, digests = {}, executable }: CatalogFile,
    path: string,
    turn: number,
    onNewConnection: boolean,
  ): Promise<VerifiedFile> {
    const { pacer, progress, ranges } = this.#tools;
    const mode = executable ? 0o777 : 0o666;
    let received = 0;
    let tries = 0;
    const onBytes = (count: number): void => {
      received += count;
      progress.addBytes(count);
    };
    const fetchOnce = async (): Promise<FetchedRange> => {
      tries += 1;
      progress.takeBack(received);
      received = 0;
      pacer.know(ranges.roundTrip);
      try {
        return await ranges.fetch({
          key,
          range: { start: 0, end: size },
          size,
          etag: undefined,
          into: { path, mode },
          algorithms: algorithmsOf(digests),
          onNewConnection: onNewConnection || tries > 1,
          signal: this.#signal,
          onBegun: () => undefined,
          onCut: () => undefined,
          onBytes,
          onDiskBusy: () => progress.diskBusy(),
        });
      } catch (error) {
        if (toModelCacheError(error).code === 'store-throttled') pacer.throttled();
        throw error;
      }
    };
    try {
      const fetched = await pacer.smallLanes.run(turn, () => {
        this.#signal.throwIfAborted();
        pacer.asked(size);
        return progress.whileWaiting(() => withRetries(ATTEMPTS, isWorthRetrying, this.#signal, fetchOnce));
      });
      const mismatch = firstMismatch(digests, fetched.digests);
      if (mismatch === undefined) return { digests: fetched.digests, isFlushed: false };
      await rm(path, { force: true });
      throw new WrongContent(key, mismatch, fetched.etag);
    } catch (error) {
      progress.takeBack(received);
      throw error;
    }
  }
}

/** How one go at a file begins. */
interface Start {
  readonly turn: number;
  readonly onNewConnection: boolean;
  readonly etag: string | undefined;
  /** What is there, in whole blocks. */
  readonly done: readonly ByteRange[];
}

function isWorthAnotherStart(error: unknown): boolean {
  return ['object-changed', 'object-digest-differs'].includes(toModelCacheError(error).code);
}
