import { ModelCacheError } from '../errors.ts';
import type { ByteRange } from '../model/parts.ts';
import type { PartDigests } from '../model/proof.ts';
import type { DigestAlgorithm } from '../model/digest.ts';
import type { Destination, MadeFile } from '../wire/messages.ts';

/**
 * The remote side: objects under a prefix, by key. Keys are relative to the prefix and `/`-separated.
 *
 * Every method throws a ModelCacheError whose code begins with `store-` (the store itself) or `object-` (one object).
 * Besides: `path-unsafe` for a key that no object can have, the reason of `signal` when it aborts, what `chunks` throw,
 * and `internal` for a bug.
 * `test/store/conformance.ts` is the contract; every implementation passes it.
 */
export interface Store {
  /** Safe to print: no credentials. */
  readonly url: string;
  readonly kind: 'S3' | 'store';
  /** How it is reached: endpoint, region, and where the credentials came from. Safe to print; empty for a folder. */
  readonly access: string;
  /**
   * Every object whose key begins with `prefix`, page after page; `onPage` is called whenever one came. Keys are as
   * the store gives them: no object of ours has an unsafe one.
   */
  list(prefix: string, signal?: AbortSignal, onPage?: () => void): AsyncIterable<StoredObject>;
  /** `object-missing` when there is none. */
  get(key: string, options?: GetOptions): Promise<ObjectBody>;
  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;
  put(key: string, bytes: Buffer, signal?: AbortSignal): Promise<void>;
  /**
   * Sends an object larger than one part. `chunks` are sent as they come; when they throw, or `signal` aborts,
   * nothing appears under the key and what was sent is taken back.
   */
  putLarge(key: string, chunks: AsyncIterable<Buffer>, options: PutLargeOptions): Promise<void>;
  /** Bytes that are written to files beside this thread; undefined where they come through `get` only. */
  readonly ranges: Ranges | undefined;
  /** Uploads that any number of pods can send parts to; undefined where an object is written in one go. */
  readonly multiparts: Multiparts | undefined;
  /** Takes back what uploads that nobody has added to since `before` (ms since 1970) have left. Returns how many. */
  abandonUploads(before: number, signal?: AbortSignal): Promise<number>;
  close(): void;
}

/** Bytes of objects, written where they belong. Errors are those of `Store`, and the disk's own. */
export interface Ranges {
  /** Something is likely to be fetched soon, over at most so many connections: what takes time may be begun. */
  prepare(connections: number): void;
  /**
   * Writes one range of an object. Settles when nothing is written any more. `object-changed` and `object-size-differs`
   * before a byte of another object is written.
   */
  fetch(order: RangeOrder): Promise<void>;
  /**
   * Makes files of whole small objects, one after the other. Throws what is wrong with the first that does not come: those
   * before it are made, of it nothing is left, and those behind it were not asked for.
   */
  fetchFiles(order: FilesOrder): Promise<void>;
  /** Of the time since this was asked last, the share in which no more could have been received; 0 to 1. */
  takeLoad(): number;
  /** `RangeOrder.parts` are heeded. */
  readonly provesParts: boolean;
  /** Milliseconds that the store takes to accept a connection; undefined while that is not known. */
  readonly roundTrip: number | undefined;
}

export interface FetchOrder {
  /** What broke off or fell silent may be the fault of the way that it took. */
  readonly onNewConnection: boolean;
  readonly signal: AbortSignal;
  /** So many bytes more were written. */
  readonly onBytes: (count: number) => void;
  /** The disk takes long to take what has come. */
  readonly onDiskBusy: () => void;
}

export interface RangeOrder extends FetchOrder {
  readonly key: string;
  /** Of an empty object, the empty one. */
  readonly range: ByteRange;
  /** Bytes of the whole object. */
  readonly size: number;
  /** The object must have this ETag; undefined: any. */
  readonly etag: string | undefined;
  readonly into: Destination;
  /** Parts that are to be proved on their way, where that can be done: what was is told to the arrival. */
  readonly parts?: PartDigests | undefined;
  /**
   * The bytes that come are of an object with this ETag. By `cut`, where there is such a way, the range can be made to end
   * earlier, unless it has come so far.
   */
  readonly onBegun: (etag: string, cut: Cut | undefined) => void;
  /** The range ends here now: what is behind it does not come. */
  readonly onCut: (end: number) => void;
}

export type Cut = (end: number) => void;

export interface FilesOrder extends FetchOrder {
  readonly files: readonly FileOrder[];
  /** The next of them is there. */
  readonly onMade: (made: MadeFile) => void;
}

export interface FileOrder {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Where nothing is yet. */
  readonly path: string;
  readonly mode: number;
  /** Digests that are wanted. */
  readonly algorithms: readonly DigestAlgorithm[];
}

/**
 * Uploads in progress, which live in the bucket and outlive who began them. Errors are those of `Store`, and
 * `object-upload-gone` when an upload was completed or aborted, `object-part-invalid` when it cannot be completed from
 * these parts, `object-digest-differs` when a part did not arrive as it was sent.
 */
export interface Multiparts {
  /** Those of exactly this key: MinIO lists none by prefix. */
  list(key: string, signal?: AbortSignal): Promise<readonly OpenUpload[]>;
  create(key: string, signal?: AbortSignal): Promise<OpenUpload>;
  parts(upload: OpenUpload, signal?: AbortSignal): Promise<readonly SentPart[]>;
  /** Returns the part's ETag. What was under this number is replaced. */
  putPart(upload: OpenUpload, part: PartToSend, signal?: AbortSignal): Promise<string>;
  /** The object is made of exactly these parts, in the order of their numbers. That may take the store long: it gives signs. */
  complete(
    upload: OpenUpload,
    parts: readonly SentPart[],
    signal?: AbortSignal,
    onSign?: () => void,
  ): Promise<void>;
  /** Nothing happens to one that is gone. */
  abort(upload: OpenUpload, signal?: AbortSignal): Promise<void>;
}

export interface OpenUpload {
  readonly key: string;
  readonly id: string;
  /** By the store's clock, in ms since 1970. */
  readonly initiated: number;
}

export interface SentPart {
  /** From 1. */
  readonly number: number;
  /** Bytes. */
  readonly size: number;
  /** Without quotes. The MD5 of the part on most providers, in hex. */
  readonly etag: string;
  /** By the store's clock, in ms since 1970. */
  readonly modified: number;
}

export interface PartToSend {
  readonly number: number;
  /** Bytes. */
  readonly size: number;
  /** MD5 in hex: the store refuses anything else. */
  readonly md5: string;
  /**
   * In pieces, which are sent as they come. Each is only lent, until the next one is asked for. Called once more when
   * all has to be sent once more.
   */
  readonly chunks: () => AsyncIterable<Buffer>;
}

export interface StoredObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Opaque: equal means same content, nothing more. */
  readonly etag: string;
}

export interface GetOptions {
  readonly range?: ByteRange;
  /** The object must still have this ETag; `object-changed` otherwise. */
  readonly etag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** On a connection of its own: what arrived wrong may have been the way's fault. */
  readonly onNewConnection?: boolean;
  /** Bytes. Of an object that has more, hardly more than this needs to be read. */
  readonly atMost?: number;
}

export interface ObjectBody {
  readonly etag: string;
  /** Bytes of the whole object, whatever range was asked for; undefined where a store does not say. */
  readonly objectSize: number | undefined;
  /** The bytes of the range. To leave early is to release the connection. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Releases a body that is not going to be read. */
  readonly discard: () => Promise<void>;
}

export interface PutLargeOptions {
  /** Bytes. */
  readonly size: number;
  /** Bytes; fixed by the format. */
  readonly partSize: number;
  readonly signal?: AbortSignal | undefined;
}

/** The whole of a small object. `object-size-differs` when it is larger than `limit` bytes: then little of it is read. */
export async function readSmall(body: ObjectBody, limit: number): Promise<Buffer> {
  if (body.objectSize !== undefined && body.objectSize > limit) {
    await body.discard();
    throw tooLarge(limit, body.objectSize);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body.chunks) {
    length += chunk.length;
    if (length > limit) throw tooLarge(limit, body.objectSize ?? length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(limit: number, found: number): ModelCacheError {
  return new ModelCacheError('object-size-differs', 'an object is larger than the format allows', {
    wanted: `at most ${limit} bytes`,
    found: `${found} bytes`,
  });
}

/**
 * Another connection may not meet this failure: it takes another way, and behind one address there are many servers. To one
 * that has too much to do it would be more.
 */
export function mayBeOfTheWay(error: unknown): boolean {
  return !(error instanceof ModelCacheError) || error.code !== 'store-throttled';
}

/** Whether another try may help: the connection, the load, the store's bad day. */
export function isWorthRetrying(error: unknown): boolean {
  return (
    error instanceof ModelCacheError &&
    ['store-unreachable', 'store-stalled', 'store-throttled', 'store-failed'].includes(error.code)
  );
}
