import { ModelCacheError } from '../errors.ts';
import type { ByteRange } from '../model/parts.ts';

/**
 * The remote side: objects under a prefix, by key. Keys are relative to the prefix and `/`-separated.
 *
 * Every method throws a ModelCacheError whose code begins with `store-` (the store itself) or `object-` (one object).
 * `test/store/conformance.ts` is the contract; every implementation passes it.
 */
export interface Store {
  /** Safe to print: no credentials. */
  readonly url: string;
  readonly kind: 'S3' | 'store';
  /** How it is reached: endpoint, region, and where the credentials came from. Safe to print; empty for a folder. */
  readonly access: string;
  /** Every object whose key begins with `prefix`, page after page. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
  /** `object-missing` when there is none. */
  get(key: string, options?: GetOptions): Promise<ObjectBody>;
  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;
  put(key: string, bytes: Buffer, signal?: AbortSignal): Promise<void>;
  /**
   * Sends an object larger than one part. `chunks` are sent as they come; when they throw, or `signal` aborts,
   * nothing appears under the key and what was sent is taken back.
   */
  putLarge(key: string, chunks: AsyncIterable<Buffer>, options: PutLargeOptions): Promise<void>;
  close(): void;
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
}

export interface ObjectBody {
  readonly etag: string;
  /** Bytes of the whole object, whatever range was asked for. */
  readonly objectSize: number;
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

/** The whole of a small object. `object-size-differs` when it is larger than `limit` bytes. */
export async function readSmall(body: ObjectBody, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body.chunks) {
    length += chunk.length;
    if (length > limit) throw tooLarge(limit, body.objectSize);
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

/** Whether another try may help: the connection, the load, the store's bad day. */
export function isWorthRetrying(error: unknown): boolean {
  return (
    error instanceof ModelCacheError &&
    ['store-unreachable', 'store-stalled', 'store-throttled', 'store-failed'].includes(error.code)
  );
}
