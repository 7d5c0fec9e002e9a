import { ModelCacheError } from '../errors.ts';
import type { MultipartCalls } from './multipart-calls.ts';
import { NotPlain } from './not-plain.ts';
import { orBeside } from './or-beside.ts';
import { PlainS3 } from './plain-s3.ts';
import { rangePatience } from './range-patience.ts';
import { rangesByGet } from './ranges-by-get.ts';
import { describeAccess, resolveAccess, type S3Access, type S3Settings } from './s3-access.ts';
import { S3Names } from './s3-names.ts';
import { entriesOf, type Page } from './s3-pages.ts';
import type { SdkStore } from './s3-sdk-store.ts';
import { S3Uploads } from './s3-uploads.ts';
import type {
  FilesOrder,
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
 * An S3 bucket, on AWS or on anything that speaks its protocol: by requests of our own, and what these cannot do by the
 * AWS SDK, which is loaded when it is needed. Facts about providers: docs/operations.md.
 */
export class S3Store implements Store {
  readonly kind = 'S3';
  readonly url: string;
  readonly access: string;
  readonly ranges: Ranges;
  readonly multiparts: S3Uploads;
  readonly #settings: S3Settings;
  readonly #credentials: S3Access;
  readonly #events: S3StoreEvents;
  readonly #plain: PlainS3 | undefined;
  /** Until an answer was not plain. */
  readonly #isPlain = { answers: true, ranges: true, sending: true };
  #sdk: Promise<SdkStore> | undefined;

  private constructor(settings: S3Settings, access: S3Access, events: S3StoreEvents) {
    this.#settings = settings;
    this.#credentials = access;
    this.#events = events;
    this.url = new S3Names(settings).url;
    this.access = describeAccess(settings, access);
    this.multiparts = new S3Uploads(this.url, (carries, call) => this.#multipart(carries, call));
    const plain = settings.onlySdk === undefined ? PlainS3.at(settings, access) : undefined;
    this.#plain = plain;
    const isPlain = this.#isPlain;
    this.ranges = {
      get provesParts() {
        return plain !== undefined && isPlain.ranges;
      },
      get roundTrip() {
        return plain?.roundTrip;
      },
      takeLoad: () => plain?.takeLoad() ?? 0,
      prepare: (connections) => plain?.prepare(connections),
      fetch: (order) => this.#fetch(order),
      fetchFiles: (order) => this.#fetchFiles(order),
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
    const { range, etag, signal, onNewConnection, atMost } = options;
    const isPlain = range === undefined && etag === undefined && onNewConnection !== true;
    if (!isPlain) return (await this.#bySdk()).get(key, options);
    return this.#small(
      signal,
      (plain, signal, onSign) => plain.get(key, { signal, atMost, onSign }),
      (sdk, signal) => sdk.get(key, { ...options, signal }),
    );
  }

  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#small(
      signal,
      async (plain, signal) => (await plain.writer()).head(key, signal),
      (sdk, signal) => sdk.head(key, signal),
    );
  }

  put(key: string, bytes: Buffer, signal?: AbortSignal): Promise<void> {
    const put = (signal: AbortSignal | undefined): Promise<void> =>
      this.#plainly(
        async (plain) => (await plain.writer()).put(key, bytes, signal),
        (sdk) => sdk.put(key, bytes, signal),
        'sending',
      );
    // Larger ones may be on their way for long without a word.
    if (bytes.length > SOON_SENT_BYTES) return put(signal);
    return orBeside(rangePatience(this.#settings.idleTimeout), signal, put, async (signal) =>
      (await this.#bySdk()).put(key, bytes, signal),
    );
  }

  async putLarge(key: string, chunks: AsyncIterable<Buffer>, options: PutLargeOptions): Promise<void> {
    return (await this.#bySdk()).putLarge(key, chunks, options);
  }

  abandonUploads(before: number, signal?: AbortSignal): Promise<number> {
    return this.multiparts.abandon(before, signal);
  }

  close(): void {
    this.#plain?.close();
    // Whoever wanted it has heard why it could not be had.
    this.#sdk?.then((sdk) => sdk.close()).catch(() => undefined);
  }

  #page(
    prefix: string,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<StoredObject, string>> {
    return this.#small(
      signal,
      (plain, signal, onSign) => plain.page(prefix, token, { signal, onSign }),
      (sdk, signal) => sdk.page(prefix, token, signal),
    );
  }

  /** What is asked in a few words. One connection that says nothing is not yet a store that says nothing. */
  #small<T>(
    signal: AbortSignal | undefined,
    byPlain: (plain: PlainS3, signal: AbortSignal, onSign: () => void) => Promise<T>,
    bySdk: (sdk: SdkStore, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return orBeside(
      rangePatience(this.#settings.idleTimeout),
      signal,
      (signal, onSign) =>
        this.#plainly(
          (plain) => byPlain(plain, signal, onSign),
          (sdk) => bySdk(sdk, signal),
        ),
      async (signal) => bySdk(await this.#bySdk(), signal),
    );
  }

  /**
   * A small request by our own client. What that cannot read, the SDK reads, and all answers from then on; what is worth
   * another try, the SDK tries, which knows when.
   */
  async #plainly<T>(
    byPlain: (plain: PlainS3) => Promise<T>,
    bySdk: (sdk: SdkStore) => Promise<T>,
    what: 'answers' | 'sending' = 'answers',
    isTransient = isTriedAgain,
  ): Promise<T> {
    const plain = this.#isPlain.answers && this.#isPlain[what] ? this.#plain : undefined;
    if (plain === undefined) return bySdk(await this.#bySdk());
    try {
      return await byPlain(plain);
    } catch (error) {
      if (!(error instanceof NotPlain) && !isTransient(error)) throw error;
      const result = await bySdk(await this.#bySdk());
      if (error instanceof NotPlain) this.#useSdkFor(what, error.message);
      return result;
    }
  }

  /** Whoever sends a part knows himself when it is worth another try. */
  #multipart<T>(carries: 'bytes' | 'words', call: (calls: MultipartCalls) => Promise<T>): Promise<T> {
    const byPlain = async (plain: PlainS3): Promise<T> => call((await plain.writer()).multiparts);
    const bySdk = (sdk: SdkStore): Promise<T> => call(sdk.multiparts);
    return carries === 'bytes'
      ? this.#plainly(byPlain, bySdk, 'sending', () => false)
      : this.#plainly(byPlain, bySdk);
  }

  #fetch(order: RangeOrder): Promise<void> {
    let received = 0;
    let isCut = false;
    const counted: RangeOrder = {
      ...order,
      onCut: (end) => {
        isCut = true;
        order.onCut(end);
      },
      onBytes: (count) => {
        received += count;
        order.onBytes(count);
      },
    };
    return this.#plainRanges(
      (plain) => plain.fetch(counted),
      (ranges) => ranges.fetch(order),
      () => received > 0 || isCut,
    );
  }

  /** What is made is not asked for again. */
  #fetchFiles(order: FilesOrder): Promise<void> {
    const { files } = order;
    let made = 0;
    let receivedOfNext = 0;
    const counted: FilesOrder = {
      ...order,
      onBytes: (count) => {
        receivedOfNext += count;
        order.onBytes(count);
      },
      onMade: (file) => {
        made += 1;
        receivedOfNext = 0;
        order.onMade(file);
      },
    };
    return this.#plainRanges(
      (plain) => plain.fetchFiles(counted),
      (ranges) => ranges.fetchFiles({ ...order, files: files.slice(made) }),
      () => receivedOfNext > 0,
    );
  }

  /** By the SDK from now on, where an answer was not plain. If some of it `hasCome`, whoever asked asks again for the rest. */
  async #plainRanges(
    byPlain: (plain: PlainS3) => Promise<void>,
    bySdk: (ranges: Ranges) => Promise<void>,
    hasCome: () => boolean,
  ): Promise<void> {
    const plain = this.#isPlain.ranges ? this.#plain : undefined;
    if (plain === undefined) return bySdk(rangesByGet(await this.#bySdk()));
    try {
      return await byPlain(plain);
    } catch (error) {
      if (!(error instanceof NotPlain)) throw error;
      const isLost = hasCome();
      if (!isLost) await bySdk(rangesByGet(await this.#bySdk()));
      this.#useSdkFor('ranges', error.message);
      if (isLost) throw new ModelCacheError('store-failed', `${this.url} broke off: ${error.message}`);
    }
  }

  /** What is under way comes to its end by itself. */
  #useSdkFor(what: 'answers' | 'ranges' | 'sending', why: string): void {
    const isFirst = Object.values(this.#isPlain).every(Boolean);
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

const SOON_SENT_BYTES = 256 * 1024;

/** A silent store has been waited for long enough. */
function isTriedAgain(error: unknown): boolean {
  return (
    error instanceof ModelCacheError &&
    ['store-unreachable', 'store-throttled', 'store-failed'].includes(error.code)
  );
}
