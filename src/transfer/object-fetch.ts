import { toModelCacheError } from '../errors.ts';
import type { Staging } from '../cache/staging.ts';
import { BLOCK_BYTES, type Arrival } from '../model/arrival.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { takePart } from '../model/pace.ts';
import type { ByteRange } from '../model/parts.ts';
import type { PartDigests } from '../model/proof.ts';
import { otherObject } from '../store/object-errors.ts';
import type { Ranges } from '../store/store.ts';
import type { Pacer } from './pacer.ts';
import { PartFetch, type PartRequest } from './part-fetch.ts';
import type { Progress } from './progress.ts';

/** A line of the journal for so many bytes at least. */
const NOTED_BYTES = 2 * 1024 * 1024;
/** But for those at the end of each request, no more lines than this. */
const MOST_NOTES = 30_000;

export interface FetchTools {
  readonly ranges: Ranges;
  readonly pacer: Pacer;
  readonly progress: Progress;
}

export interface ObjectToFetch {
  readonly wanted: CatalogFile;
  readonly staging: Staging;
  readonly arrival: Arrival;
  /** By which it is proved on its way. */
  readonly parts: PartDigests | undefined;
  /** What is there already. */
  readonly done: readonly ByteRange[];
  /** What is not, in order. */
  readonly missing: readonly ByteRange[];
  /** Of the object that what is there already came from. */
  readonly etag: string | undefined;
  readonly onNewConnection: boolean;
  /** Files of a lower turn are fetched first. */
  readonly turn: number;
}

/** One go at what is missing of one object: part by part, as many at once as the pace allows. */
export class ObjectFetch {
  /** Bytes that this go has written. */
  received = 0;
  /** Bytes that this go has asked for. */
  asked = 0;
  /** Of the object that they are of. */
  etag: string | undefined;
  readonly #tools: FetchTools;
  readonly #object: ObjectToFetch;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly #noteBytes: number;
  readonly #done = Promise.withResolvers<void>();
  #left: readonly ByteRange[];
  /** What requests that were cut have not brought. */
  readonly #givenBack: ByteRange[] = [];
  #open = 0;
  #begun: Promise<void> | undefined;

  constructor(object: ObjectToFetch, tools: FetchTools, signal: AbortSignal) {
    this.etag = object.etag;
    this.#tools = tools;
    this.#object = object;
    this.#left = object.wanted.size === 0 ? [{ start: 0, end: 0 }] : object.missing;
    this.#signal = AbortSignal.any([signal, this.#ending.signal]);
    this.#noteBytes = Math.max(NOTED_BYTES, object.wanted.size / MOST_NOTES);
  }

  /** Settles when nothing of it is under way any more. Every byte is of the same object then. */
  async run(): Promise<void> {
    this.#goOn();
    if (this.#open > 0) await this.#done.promise;
    await this.#begun;
    // The first reason: what it has stopped has others.
    this.#signal.throwIfAborted();
  }

  /** One more part, and behind it, when it has a lane, the next. */
  #goOn(): void {
    if ((this.#left.length === 0 && this.#givenBack.length === 0) || this.#signal.aborted) return;
    this.#open += 1;
    void this.#inLane().finally(() => {
      this.#open -= 1;
      if (this.#open === 0) this.#done.resolve();
    });
  }

  async #inLane(): Promise<void> {
    const { pacer, progress, ranges } = this.#tools;
    try {
      await pacer.lanes.run(this.#object.turn, async () => {
        this.#signal.throwIfAborted();
        pacer.know(ranges.roundTrip);
        const part = this.#givenBack.shift() ?? this.#nextPart();
        if (part === undefined) return;
        this.asked += part.end - part.start;
        pacer.asked(part.end - part.start);
        this.#goOn();
        await progress.whileWaiting(() => this.#fetch(part));
      });
    } catch (error) {
      this.#ending.abort(error);
    }
  }

  #nextPart(): ByteRange | undefined {
    const { pacer } = this.#tools;
    const { parts } = this.#object;
    const { part, left } = takePart(this.#left, pacer.next(parts !== undefined), pacer.grain(parts?.size));
    this.#left = left;
    return part;
  }

  async #fetch(range: ByteRange): Promise<void> {
    const { pacer, progress } = this.#tools;
    let noted = range.start;
    // A run that goes on takes whole blocks only.
    const noteUpTo = (position: number): void => {
      const end = position === part.end ? position : position - (position % BLOCK_BYTES);
      if (noted < end) this.#note({ start: noted, end });
      noted = Math.max(noted, end);
    };
    let reached = range.start;
    const part = new PartFetch(range, {
      ask: (request) => this.#ask(request),
      onReached: (position, news) => {
        reached = position;
        this.received += news;
        progress.addBytes(news);
        if (position - noted >= this.#noteBytes) noteUpTo(position);
      },
      onGivenBack: (rest) => this.#askElsewhere(rest),
      onNewConnection: this.#object.onNewConnection,
      signal: this.#signal,
    });
    try {
      await pacer.watching(part, () => part.run());
      // Two have written there, of which one was ended.
      if (part.isDoubled) this.#object.arrival.doubt({ start: range.start, end: part.end });
    } finally {
      noteUpTo(reached);
    }
  }

  #askElsewhere(rest: ByteRange): void {
    const bytes = rest.end - rest.start;
    this.asked -= bytes;
    this.#tools.pacer.asked(-bytes);
    this.#givenBack.push(rest);
    this.#goOn();
  }

  async #ask({ range, onNewConnection, signal, onBytes, onBegun, onCut }: PartRequest): Promise<void> {
    const { ranges, pacer, progress } = this.#tools;
    const { wanted, staging, arrival, parts } = this.#object;
    try {
      await ranges.fetch({
        key: wanted.key,
        range,
        size: wanted.size,
        etag: this.etag,
        into: { fd: staging.file.fd, arrival: arrival.memory },
        parts,
        onNewConnection,
        signal,
        onBegun: (found, cut) => {
          this.#isOf(found);
          onBegun(cut);
        },
        onCut,
        onBytes,
        onDiskBusy: () => progress.diskBusy(),
      });
    } catch (error) {
      if (toModelCacheError(error).code === 'store-throttled') pacer.throttled();
      throw error;
    }
  }

  /** Parts that were asked for before the first answer came may be of different objects. */
  #isOf(etag: string): void {
    this.etag ??= etag;
    const { key } = this.#object.wanted;
    if (this.etag !== etag) this.#ending.abort(otherObject(key, this.etag, etag));
    else this.#begun ??= this.#beginJournal(etag);
  }

  /** Whoever goes on with a file has begun its journal already: written anew, a kill in the middle would leave none. */
  async #beginJournal(etag: string): Promise<void> {
    const { staging, done, etag: isOfBefore } = this.#object;
    if (isOfBefore === undefined) await staging.journal?.begin(etag, done);
  }

  #note(range: ByteRange): void {
    const { journal } = this.#object.staging;
    if (journal === undefined) return;
    this.#begun = (this.#begun ?? Promise.resolve()).then(() => journal.note(range));
  }
}
