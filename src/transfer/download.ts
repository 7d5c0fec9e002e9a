import pLimit, { type LimitFunction } from 'p-limit';
import { toModelCacheError, type ModelCacheError } from '../errors.ts';
import { digestOpenFile } from '../cache/digest.ts';
import { Flusher } from '../cache/flusher.ts';
import type { Staging } from '../cache/staging.ts';
import { writeAll } from '../cache/write-all.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { algorithmsOf, firstMismatch, type Digests } from '../model/digest.ts';
import { bytesIn, missingRanges, type Journal } from '../model/partial.ts';
import { cutRange, type ByteRange } from '../model/parts.ts';
import { otherContent, otherObject, otherSize } from '../store/object-errors.ts';
import { isWorthRetrying, type ObjectBody, type Store } from '../store/store.ts';
import type { Progress } from './progress.ts';
import { withRetries } from './retry.ts';

/** Bytes asked for in one request, and requests at once. With the SDK, more of either costs memory and gains nothing. */
const RANGE_BYTES = 16 * 1024 * 1024;
const REQUESTS_AT_ONCE = 8;
const ATTEMPTS = 4;

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

/** One attempt at one file. */
interface Attempt {
  received: number;
  etag: string | undefined;
  /** What of the file needs no fetching. */
  readonly done: readonly ByteRange[];
  readonly onNewConnection: boolean;
}

/** Fetches files from a store, in ranges, several at once; what it returns is proved. */
export class Downloader {
  readonly #store: Store;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  readonly #events: DownloadEvents;
  readonly #requests: LimitFunction = pLimit(REQUESTS_AT_ONCE);
  readonly #flusher = new Flusher();

  constructor(store: Store, progress: Progress, signal: AbortSignal, events: DownloadEvents) {
    this.#store = store;
    this.#progress = progress;
    this.#signal = signal;
    this.#events = events;
  }

  /**
   * Fills a staged file and proves it. A file that was replaced meanwhile, or arrived wrong, is fetched once more
   * from the start, on other connections; then it is `object-digest-differs`, `object-changed` or `object-size-differs`.
   * What a killed run has left of it says nothing about the object when it turns out wrong.
   */
  async download(wanted: CatalogFile, staging: Staging): Promise<VerifiedFile> {
    const resumed = staging.found && (await this.#resume(wanted, staging, staging.found));
    if (resumed !== undefined) return resumed;
    const wrong: (string | undefined)[] = [];
    let onNewConnection = false;
    return withRetries(2, isWorthAnotherStart, this.#signal, async () => {
      const attempt: Attempt = { received: 0, etag: undefined, done: [], onNewConnection };
      onNewConnection = true;
      try {
        return await this.#attempt(wanted, staging, attempt);
      } catch (error) {
        if (toModelCacheError(error).code === 'object-digest-differs') wrong.push(attempt.etag);
        const [first, second] = wrong;
        if (first !== undefined && first === second) this.#events.onCorrupt({ key: wanted.key, etag: first });
        throw error;
      }
    });
  }

  /** Goes on where a killed run was; undefined when it has to be fetched from the start. */
  async #resume(
    wanted: CatalogFile,
    staging: Staging,
    { etag, done }: Journal,
  ): Promise<VerifiedFile | undefined> {
    const bytes = bytesIn(done);
    this.#progress.expect(0, -bytes);
    try {
      const attempt = { received: 0, etag, done, onNewConnection: false };
      const verified = await this.#attempt(wanted, staging, attempt);
      this.#events.onResumed(wanted, bytes);
      return verified;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isWorthAnotherStart(error)) throw error;
      this.#progress.expect(0, bytes);
      return undefined;
    }
  }

  async #attempt(wanted: CatalogFile, staging: Staging, attempt: Attempt): Promise<VerifiedFile> {
    try {
      await this.#fill(wanted, staging, attempt);
      return await this.#verify(wanted, staging);
    } catch (error) {
      this.#progress.takeBack(attempt.received);
      throw error;
    }
  }

  /** Every range must be of the object that the first one came from. */
  async #fill(wanted: CatalogFile, staging: Staging, attempt: Attempt): Promise<void> {
    const pinned = Promise.withResolvers<string>();
    pinned.promise.catch(() => undefined);
    if (attempt.etag !== undefined) pinned.resolve(attempt.etag);
    const isPinnedByFirst = attempt.etag === undefined;
    const fetches = rangesToFetch(wanted.size, attempt.done).map((range, index) => {
      const isFirst = isPinnedByFirst && index === 0;
      const fetched = this.#requests(async () =>
        this.#fetchRange(wanted, range, staging, attempt, isFirst ? pinned.resolve : await pinned.promise),
      );
      if (isFirst) fetched.catch(pinned.reject);
      return fetched;
    });
    const results = await Promise.allSettled(fetches);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** One range, asked for again from where it broke off. Its object's ETag is known, or told as soon as it is. */
  async #fetchRange(
    { key, size }: CatalogFile,
    range: ByteRange,
    { file, journal }: Staging,
    attempt: Attempt,
    etag: string | ((etag: string) => void),
  ): Promise<void> {
    let position = range.start;
    let pinned = typeof etag === 'string' ? etag : undefined;
    let tries = 0;
    await this.#progress.whileWaiting(() =>
      withRetries(ATTEMPTS, isWorthRetrying, this.#signal, async () => {
        // It broke off right after its last byte. The rest would be an empty range, which a store takes for everything.
        if (size > 0 && position >= range.end) return;
        tries += 1;
        const rest = size === 0 ? undefined : { start: position, end: range.end };
        const body = await this.#store.get(key, {
          ...(rest && { range: rest }),
          etag: pinned,
          signal: this.#signal,
          // What broke off or fell silent may be the fault of the way that it took.
          onNewConnection: attempt.onNewConnection || tries > 1,
        });
        const other = otherThanWanted(key, { size, etag: pinned }, body);
        if (other !== undefined) {
          await body.discard();
          throw other;
        }
        if (typeof etag !== 'string' && pinned === undefined) {
          // Before a byte of this object is written: what the journal said of another one is forgotten.
          await journal?.begin(body.etag);
          etag(body.etag);
        }
        pinned = body.etag;
        attempt.etag = body.etag;
        for await (const chunk of body.chunks) {
          await writeAll(file, chunk, position);
          position += chunk.length;
          attempt.received += chunk.length;
          this.#progress.addBytes(chunk.length);
        }
      }),
    );
    await journal?.note(range);
  }

  /** The flush is hidden by the hashing, or the other way round. */
  async #verify({ key, size, digests }: CatalogFile, staging: Staging): Promise<VerifiedFile> {
    const onBlock = (): void => this.#progress.diskSign();
    const hashed =
      digests &&
      this.#progress.whileReadingDisk(() =>
        digestOpenFile(staging.file, size, algorithmsOf(digests), this.#signal, onBlock),
      );
    const flushed = staging.needsFlush ? this.#flusher.flush(staging.path, this.#signal) : false;
    const [hashing, flushing] = await Promise.allSettled([hashed, flushed]);
    if (hashing.status === 'rejected') throw hashing.reason;
    if (flushing.status === 'rejected') throw flushing.reason;
    const found = hashing.value ?? {};
    const mismatch = firstMismatch(digests ?? {}, found);
    if (mismatch === undefined) return { digests: found, isFlushed: flushing.value };
    throw otherContent(key, mismatch);
  }
}

/** Not every store heeds the ETag that it is asked for. */
function otherThanWanted(
  key: string,
  wanted: { readonly size: number; readonly etag: string | undefined },
  found: ObjectBody,
): ModelCacheError | undefined {
  if (wanted.etag !== undefined && wanted.etag !== found.etag)
    return otherObject(key, wanted.etag, found.etag);
  const size = found.objectSize ?? wanted.size;
  return size === wanted.size ? undefined : otherSize(key, wanted.size, size);
}

function isWorthAnotherStart(error: unknown): boolean {
  return ['object-changed', 'object-digest-differs'].includes(toModelCacheError(error).code);
}

/** An empty object is one empty range. */
function rangesToFetch(size: number, done: readonly ByteRange[]): readonly ByteRange[] {
  if (size === 0) return [{ start: 0, end: 0 }];
  return missingRanges(size, done).flatMap((range) => cutRange(range, RANGE_BYTES));
}
