import { Flusher } from '../cache/flusher.ts';
import type { Staging } from '../cache/staging.ts';
import { Arrival, wholeBlocks } from '../model/arrival.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { bytesIn, missingRanges, type Journal } from '../model/partial.ts';
import type { PaceBounds } from '../model/pace.ts';
import type { ByteRange } from '../model/parts.ts';
import { rangesByGet } from '../store/ranges-by-get.ts';
import type { Store } from '../store/store.ts';
import { atMostTwice, isWorthAnotherStart, type CorruptObject } from './at-most-twice.ts';
import { ObjectFetch, type FetchTools } from './object-fetch.ts';
import { Pacer } from './pacer.ts';
import type { Progress } from './progress.ts';
import { Prover, type Proved } from './prover.ts';
import { SmallFiles } from './small-files.ts';
import type { VerifiedFile } from './verified-file.ts';
import { WrongContent } from './wrong-content.ts';

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
  readonly small: SmallFiles;
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
    this.#tools = { ranges, progress, pacer: new Pacer(ranges, progress, bounds) };
    this.#prover = new Prover(progress, partsProve, signal);
    this.#signal = signal;
    this.#events = events;
    this.small = new SmallFiles(this.#tools, signal, events.onCorrupt);
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
    if (resumed?.verified !== undefined) return resumed.verified;
    const there = resumed?.right ?? [];
    const tries = { key: wanted.key, signal: this.#signal, onCorrupt: this.#events.onCorrupt, there };
    return atMostTwice(tries, (onNewConnection, done) =>
      this.#attempt(wanted, staging, { turn, onNewConnection, etag: undefined, done }),
    );
  }

  /** Goes on where a killed run was; when that turns out wrong, what of it is right. */
  async #resume(wanted: CatalogFile, staging: Staging, found: Journal, turn: number): Promise<Resumed> {
    const done = wholeBlocks(wanted.size, found.done);
    const bytes = bytesIn(done);
    try {
      const start = { turn, onNewConnection: false, etag: found.etag, done };
      const verified = await this.#attempt(wanted, staging, start);
      this.#events.onResumed(wanted, bytes);
      return { verified };
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isWorthAnotherStart(error)) throw error;
      return { verified: undefined, right: error instanceof WrongContent ? error.right : [] };
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
}

type Resumed =
  | { readonly verified: VerifiedFile; readonly right?: undefined }
  | { readonly verified: undefined; readonly right: readonly ByteRange[] };

/** How one go at a file begins. */
interface Start {
  readonly turn: number;
  readonly onNewConnection: boolean;
  readonly etag: string | undefined;
  /** What is there, in whole blocks. */
  readonly done: readonly ByteRange[];
}
