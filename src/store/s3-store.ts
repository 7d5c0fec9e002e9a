import { Readable } from 'node:stream';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { countdown } from '../countdown.ts';
import { ModelCacheError } from '../errors.ts';
import { abortingWith, createClient, within, type S3Settings } from './s3-client.ts';
import { explainS3Error, type RequestContext } from './s3-errors.ts';
import { objectSizeOf } from './s3-range.ts';
import { formatStoreUrl } from './store-url.ts';
import type { GetOptions, ObjectBody, PutLargeOptions, Store, StoredObject } from './store.ts';

const PARTS_IN_FLIGHT = 4;

/** An S3 bucket, on AWS or on anything that speaks its protocol. Facts about providers: docs/operations.md. */
export class S3Store implements Store {
  readonly kind = 'S3';
  readonly url: string;
  readonly access: string;
  readonly #client: S3Client;
  readonly #settings: S3Settings;

  private constructor(settings: S3Settings, client: S3Client, credentialSource: string) {
    this.#settings = settings;
    this.#client = client;
    this.access = `${settings.endpoint ?? 'AWS'}, region ${settings.region}, credentials: ${credentialSource}`;
    this.url = formatStoreUrl({ kind: 's3', bucket: settings.bucket, prefix: settings.prefix });
  }

  /** Throws `store-credentials-missing` when no source has any. Sends nothing to the store itself. */
  static async open(settings: S3Settings): Promise<S3Store> {
    const { client, source } = await createClient(settings);
    return new S3Store(settings, client, source);
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
    const seen = new Set<string>();
    let token: string | undefined;
    do {
      const page = await this.#explained(undefined, () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#settings.bucket,
            Prefix: this.#keyOf(prefix),
            ContinuationToken: token,
          }),
          within(signal),
        ),
      );
      for (const { Key, Size, ETag } of page.Contents ?? []) {
        if (Key === undefined || Key.endsWith('/')) continue;
        yield { key: this.#relative(Key), size: Size ?? 0, etag: ETag ?? '' };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (token !== undefined && seen.has(token)) throw this.#repeatedToken();
      if (token !== undefined) seen.add(token);
    } while (token !== undefined);
  }

  async get(key: string, { range, etag, signal }: GetOptions = {}): Promise<ObjectBody> {
    const wholeOrEmpty = range === undefined || range.start === range.end;
    const answer = await this.#explained(key, () =>
      this.#client.send(
        new GetObjectCommand({
          Bucket: this.#settings.bucket,
          Key: this.#keyOf(key),
          IfMatch: etag,
          Range: wholeOrEmpty ? undefined : `bytes=${range.start}-${range.end - 1}`,
        }),
        within(signal),
      ),
    );
    const body = answer.Body as Readable;
    try {
      const objectSize = objectSizeOf(key, answer.ContentRange, answer.ContentLength, range);
      const length = range === undefined ? objectSize : range.end - range.start;
      return {
        etag: answer.ETag ?? '',
        objectSize,
        chunks: this.#chunks(key, body, length, signal),
        discard: () => destroyed(body),
      };
    } catch (error) {
      body.destroy();
      throw error;
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    try {
      const answer = await this.#explained(key, () =>
        this.#client.send(
          new HeadObjectCommand({ Bucket: this.#settings.bucket, Key: this.#keyOf(key) }),
          within(signal),
        ),
      );
      return { key, size: answer.ContentLength ?? 0, etag: answer.ETag ?? '' };
    } catch (error) {
      if (error instanceof ModelCacheError && error.code === 'object-missing') return undefined;
      throw error;
    }
  }

  async put(key: string, bytes: Buffer, signal?: AbortSignal): Promise<void> {
    await this.#explained(key, () =>
      this.#client.send(
        new PutObjectCommand({
          Bucket: this.#settings.bucket,
          Key: this.#keyOf(key),
          Body: bytes,
          ContentLength: bytes.length,
        }),
        within(signal),
      ),
    );
  }

  async putLarge(
    key: string,
    chunks: AsyncIterable<Buffer>,
    { size, partSize, signal }: PutLargeOptions,
  ): Promise<void> {
    const upload = new Upload({
      client: abortingWith(this.#client, signal),
      params: {
        Bucket: this.#settings.bucket,
        Key: this.#keyOf(key),
        Body: Readable.from(chunks, { highWaterMark: 1 }),
      },
      queueSize: PARTS_IN_FLIGHT,
      partSize,
      leavePartsOnError: false,
    });
    try {
      await this.#explained(key, () => upload.done());
    } catch (error) {
      signal?.throwIfAborted();
      if (!(await this.#wasCompleted(error, key, size))) throw error;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  /** A completion whose answer was lost is answered NoSuchUpload when it is sent again, though the object is there. */
  async #wasCompleted(error: unknown, key: string, size: number): Promise<boolean> {
    const cause = error instanceof ModelCacheError ? error.cause : error;
    if ((cause as { name?: string } | undefined)?.name !== 'NoSuchUpload') return false;
    return (await this.head(key))?.size === size;
  }

  /** The body, with a timer of its own (the SDK's ends with the headers), complete or an error. */
  async *#chunks(
    key: string,
    body: Readable,
    length: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer> {
    const stop = (): void => void body.destroy(asError(signal?.reason));
    const stalled = (): void => void body.destroy(this.#stalled(key));
    const timer = countdown(this.#settings.idleTimeout, stalled);
    signal?.addEventListener('abort', stop, { once: true });
    let received = 0;
    try {
      signal?.throwIfAborted();
      for await (const chunk of body) {
        received += (chunk as Buffer).length;
        timer?.refresh();
        if (received > length) break;
        yield chunk as Buffer;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw explainS3Error(error, this.#context(key));
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      body.destroy();
    }
    if (received !== length) throw this.#wrongLength(key, length, received);
  }

  async #explained<T>(key: string | undefined, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw explainS3Error(error, this.#context(key));
    }
  }

  #context(key: string | undefined): RequestContext {
    const { bucket, endpoint, region } = this.#settings;
    return { url: this.url, bucket, endpoint, region, ...(key === undefined ? {} : { key }) };
  }

  #keyOf(key: string): string {
    return this.#settings.prefix === '' ? key : `${this.#settings.prefix}/${key}`;
  }

  #relative(key: string): string {
    return this.#settings.prefix === '' ? key : key.slice(this.#settings.prefix.length + 1);
  }

  #repeatedToken(): ModelCacheError {
    return new ModelCacheError(
      'store-failed',
      `${this.url} gave the same continuation token twice: its listing has no end`,
    );
  }

  #stalled(key: string): ModelCacheError {
    return new ModelCacheError(
      'store-stalled',
      `no byte of ${key} came for ${this.#settings.idleTimeout / 1000} s`,
    );
  }

  #wrongLength(key: string, wanted: number, found: number): ModelCacheError {
    return new ModelCacheError('store-unreachable', `the connection ended in the middle of ${key}`, {
      wanted: `${wanted} bytes`,
      found: `${found > wanted ? 'more' : found} bytes`,
    });
  }
}

function destroyed(body: Readable): Promise<void> {
  body.on('error', () => undefined).destroy();
  return Promise.resolve();
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
