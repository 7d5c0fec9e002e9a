import type { FileHandle } from 'node:fs/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import { toModelCacheError } from '../errors.ts';
import { digestOpenFile } from '../cache/digest.ts';
import type { Staging } from '../cache/staging.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { algorithmsOf, firstMismatch, type Digests } from '../model/digest.ts';
import { rangesOf, type ByteRange } from '../model/parts.ts';
import { otherContent, otherSize } from '../store/object-errors.ts';
import { isWorthRetrying, type Store } from '../store/store.ts';
import type { Progress } from './progress.ts';
import { withRetries } from './retry.ts';

/** Bytes asked for in one request, and requests at once. With the SDK, more of either costs memory and gains nothing. */
const RANGE_BYTES = 16 * 1024 * 1024;
const REQUESTS_AT_ONCE = 8;
const ATTEMPTS = 4;

/** Content that is staged and has been proved by its digests. Only this is published. */
export interface VerifiedFile {
  readonly digests: Digests;
}

/** An object that was read whole twice, on different connections, and was wrong both times. */
export interface CorruptObject {
  readonly key: string;
  readonly etag: string;
}

/** One attempt at one file. */
interface Attempt {
  received: number;
  etag: string | undefined;
  readonly onNewConnection: boolean;
}

/** Fetches files from a store, in ranges, several at once; what it returns is proved. */
export class Downloader {
  readonly #store: Store;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  readonly #onCorrupt: (object: CorruptObject) => void;
  readonly #requests: LimitFunction = pLimit(REQUESTS_AT_ONCE);

  constructor(
    store: Store,
    progress: Progress,
    signal: AbortSignal,
    onCorrupt: (object: CorruptObject) => void,
  ) {
    this.#store = store;
    this.#progress = progress;
    this.#signal = signal;
    this.#onCorrupt = onCorrupt;
  }

  /**
   * Fills a staged file and proves it. A file that was replaced meanwhile, or arrived wrong, is fetched once more
   * from the start, on other connections; then it is `object-digest-differs`, `object-changed` or `object-size-differs`.
   */
  async download(wanted: CatalogFile, staging: Staging): Promise<VerifiedFile> {
    const wrong: (string | undefined)[] = [];
    let onNewConnection = false;
    return withRetries(2, isWorthAnotherStart, this.#signal, async () => {
      const attempt: Attempt = { received: 0, etag: undefined, onNewConnection };
      onNewConnection = true;
      try {
        await this.#fill(wanted, staging.file, attempt);
        return await this.#verify(wanted, staging.file);
      } catch (error) {
        this.#progress.takeBack(attempt.received);
        if (toModelCacheError(error).code === 'object-digest-differs') wrong.push(attempt.etag);
        const [first, second] = wrong;
        if (first !== undefined && first === second) this.#onCorrupt({ key: wanted.key, etag: first });
        throw error;
      }
    });
  }

  /** Every range must be of the object that the first one came from. */
  async #fill(wanted: CatalogFile, file: FileHandle, attempt: Attempt): Promise<void> {
    const [first, ...others] = rangesOf(wanted.size, RANGE_BYTES);
    if (first === undefined) return;
    const etag = Promise.withResolvers<string>();
    etag.promise.catch(() => undefined);
    const fetchFirst = this.#requests(() =>
      this.#fetchRange(wanted, first, file, attempt, undefined, etag.resolve),
    );
    fetchFirst.catch(etag.reject);
    const fetchOthers = others.map((range) =>
      this.#requests(async () => this.#fetchRange(wanted, range, file, attempt, await etag.promise)),
    );
    const results = await Promise.allSettled([fetchFirst, ...fetchOthers]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** One range, asked for again from where it broke off. */
  async #fetchRange(
    { key, size }: CatalogFile,
    range: ByteRange,
    file: FileHandle,
    attempt: Attempt,
    etag: string | undefined,
    onEtag: (etag: string) => void = () => undefined,
  ): Promise<void> {
    let position = range.start;
    let pinned = etag;
    await this.#progress.whileWaiting(() =>
      withRetries(ATTEMPTS, isWorthRetrying, this.#signal, async () => {
        const rest = size === 0 ? undefined : { start: position, end: range.end };
        const body = await this.#store.get(key, {
          ...(rest && { range: rest }),
          etag: pinned,
          signal: this.#signal,
          onNewConnection: attempt.onNewConnection,
        });
        if (body.objectSize !== size) {
          await body.discard();
          throw otherSize(key, size, body.objectSize);
        }
        pinned = body.etag;
        attempt.etag = body.etag;
        onEtag(body.etag);
        for await (const chunk of body.chunks) {
          await file.write(chunk, 0, chunk.length, position);
          position += chunk.length;
          attempt.received += chunk.length;
          this.#progress.addBytes(chunk.length);
        }
      }),
    );
  }

  async #verify({ key, size, digests }: CatalogFile, file: FileHandle): Promise<VerifiedFile> {
    if (digests === undefined) return { digests: {} };
    const found = await digestOpenFile(file, size, algorithmsOf(digests), this.#signal);
    const mismatch = firstMismatch(digests, found);
    if (mismatch === undefined) return { digests: found };
    throw otherContent(key, mismatch);
  }
}

function isWorthAnotherStart(error: unknown): boolean {
  return ['object-changed', 'object-digest-differs'].includes(toModelCacheError(error).code);
}
