import { ModelCacheError } from '../errors.ts';
import { LazyMultiparts } from './lazy-multiparts.ts';
import { NotPlain, PlainS3 } from './plain-s3.ts';
import { rangesByGet } from './ranges-by-get.ts';
import { describeAccess, resolveAccess, type S3Access, type S3Settings } from './s3-access.ts';
import { S3Names } from './s3-names.ts';
import { entriesOf, type Page } from './s3-pages.ts';
import type { SdkStore } from './s3-sdk-store.ts';
import type {
  FetchedRange,
  GetOptions,
  ObjectBody,
  PutLargeOptions,
  RangeOrder,
  Ranges,
  Store,
  StoredObject,
} from './store.ts';

export interface S3StoreEvents {
  /** From now on the SDK does it, and why. Told once. */
  readonly onOnlySdk: (why: string) => void;
}

/**
 * An S3 bucket, on AWS or on anything that speaks its protocol: what a cold start waits for by requests of our own, the
 * rest by the AWS SDK, which is loaded when it is needed. Facts about providers: docs/operations.md.
 */
export class S3Store implements Store {
  readonly kind = 'S3';
  readonly url: string;
  readonly access: string;
  readonly ranges: Ranges;
  readonly multiparts: LazyMultiparts;
  readonly #settings: S3Settings;
  readonly #credentials: S3Access;
  readonly #events: S3StoreEvents;
  readonly #plain: PlainS3 | undefined;
  /** Until an answer was not plain. */
  readonly #isPlain = { answers: true, ranges: true };
  #sdk: Promise<SdkStore> | undefined;

  private constructor(settings: S3Settings, access: S3Access, events: S3StoreEvents) {
    this.#settings = settings;
    this.#credentials = access;
    this.#events = events;
    this.url = new S3Names(settings).url;
    this.access = describeAccess(settings, access);
    this.multiparts = new LazyMultiparts(async () => (await this.#bySdk()).multiparts);
    const plain = settings.onlySdk === undefined ? PlainS3.at(settings, access) : undefined;
    this.#plain = plain;
    this.ranges = {
      get roundTrip() {
        return plain?.roundTrip;
      },
      fetch: (order) => this.#fetch(order),
    };
    if (plain === undefined) events.onOnlySdk(settings.onlySdk ?? 'the address of the bucket');
  }

  /** Throws `store-credentials-missing` when no source has any. Sends nothing to the store itself. */
  static async open(
    settings: S3Settings,
    events: S3StoreEvents = { onOnlySdk: () => undefined },
  ): Promise<S3Store> {
    return new S3Store(settings, await resolveAccess(settings), events);
  }

  list(prefix: string, signal?: AbortSignal, onPage?: () => void): AsyncIterable<StoredObject> {
    return entriesOf<StoredObject, string>(this.url, (token) => this.#page(prefix, token, signal), onPage);
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const { range, etag, signal, onNewConnection } = options;
    const isPlain = range === undefined && etag === undefined && onNewConnection !== true;
    if (!isPlain) return (await this.#bySdk()).get(key, options);
    return this.#plainly(
      (plain) => plain.get(key, signal),
      (sdk) => sdk.get(key, options),
    );
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return (await this.#bySdk()).head(key, signal);
  }

  async put(key: string, bytes: Buffer, signal?: AbortSignal): Promise<void> {
    return (await this.#bySdk()).put(key, bytes, signal);
  }

  async putLarge(key: string, chunks: AsyncIterable<Buffer>, options: PutLargeOptions): Promise<void> {
    return (await this.#bySdk()).putLarge(key, chunks, options);
  }

  async abandonUploads(before: number, signal?: AbortSignal): Promise<number> {
    return (await this.#bySdk()).abandonUploads(before, signal);
  }

  close(): void {
    this.#plain?.close();
    void this.#sdk?.then((sdk) => sdk.close());
  }

  #page(
    prefix: string,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<StoredObject, string>> {
    return this.#plainly(
      (plain) => plain.page(prefix, token, signal),
      (sdk) => sdk.page(prefix, token, signal),
    );
  }

  /**
   * A small request by our own client. What that cannot read, the SDK reads, and all answers from then on; what is worth
   * another try, the SDK tries, which knows when.
   */
  async #plainly<T>(
    byPlain: (plain: PlainS3) => Promise<T>,
    bySdk: (sdk: SdkStore) => Promise<T>,
  ): Promise<T> {
    const plain = this.#isPlain.answers ? this.#plain : undefined;
    if (plain === undefined) return bySdk(await this.#bySdk());
    try {
      return await byPlain(plain);
    } catch (error) {
      if (!(error instanceof NotPlain) && !isTriedAgain(error)) throw error;
      const result = await bySdk(await this.#bySdk());
      if (error instanceof NotPlain) this.#useSdkFor('answers', error.message);
      return result;
    }
  }

  /** Whoever asked for the range asks again for what of it has not come. */
  async #fetch(order: RangeOrder): Promise<FetchedRange> {
    const plain = this.#isPlain.ranges ? this.#plain : undefined;
    if (plain === undefined) return this.#fetchBySdk(order);
    let received = 0;
    const onBytes = (count: number): void => {
      received += count;
      order.onBytes(count);
    };
    try {
      return await plain.fetch({ ...order, onBytes });
    } catch (error) {
      if (!(error instanceof NotPlain)) throw error;
      if (received > 0) {
        this.#useSdkFor('ranges', error.message);
        throw new ModelCacheError('store-failed', `${this.url} broke off: ${error.message}`);
      }
      const fetched = await this.#fetchBySdk(order);
      this.#useSdkFor('ranges', error.message);
      return fetched;
    }
  }

  async #fetchBySdk(order: RangeOrder): Promise<FetchedRange> {
    return rangesByGet(await this.#bySdk()).fetch(order);
  }

  /** What is under way comes to its end by itself. */
  #useSdkFor(what: 'answers' | 'ranges', why: string): void {
    const isFirst = this.#isPlain.answers && this.#isPlain.ranges;
    this.#isPlain[what] = false;
    if (isFirst) this.#events.onOnlySdk(why);
  }

  #bySdk(): Promise<SdkStore> {
    this.#sdk ??= import('./s3-sdk-store.ts').then(
      ({ SdkStore }) => new SdkStore(this.#settings, this.#credentials),
    );
    return this.#sdk;
  }
}

/** A silent store has been waited for long enough. */
function isTriedAgain(error: unknown): boolean {
  return (
    error instanceof ModelCacheError &&
    ['store-unreachable', 'store-throttled', 'store-failed'].includes(error.code)
  );
}
