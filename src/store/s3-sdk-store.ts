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
import { rangePatience } from './range-patience.ts';
import { S3Bucket } from './s3-bucket.ts';
import type { S3Access, S3Settings } from './s3-access.ts';
import { abortingWith, createClients, within } from './s3-client.ts';
import { watchTries } from './s3-middleware.ts';
import { S3Multiparts } from './s3-multiparts.ts';
import { listedObject } from './s3-keys.ts';
import type { Page } from './s3-pages.ts';
import { objectSizeOf } from './s3-range.ts';
import type { GetOptions, ObjectBody, PutLargeOptions, StoredObject } from './store.ts';
import { noByteCame } from './stalled.ts';

const PARTS_IN_FLIGHT = 4;

/** An S3 bucket by the AWS SDK, which knows every answer that there is. */
export class SdkStore {
  readonly url: string;
  readonly multiparts: S3Multiparts;
  readonly #bucket: S3Bucket;
  readonly #client: S3Client;
  readonly #makeUnpooled: () => S3Client;
  readonly #idleTimeout: number;
  #unpooled: S3Client | undefined;

  constructor(settings: S3Settings, access: S3Access) {
    const { pooled, unpooled } = createClients(settings, access);
    this.#bucket = new S3Bucket(settings, pooled);
    this.#client = pooled;
    this.#makeUnpooled = unpooled;
    this.#idleTimeout = settings.idleTimeout;
    this.url = this.#bucket.url;
    this.multiparts = new S3Multiparts(this.#bucket);
  }

  /** One page of a listing. */
  async page(
    prefix: string,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<StoredObject, string>> {
    const Prefix = this.#bucket.keyOf(prefix);
    const { Contents, EncodingType, IsTruncated, NextContinuationToken } = await this.#bucket.explained(
      undefined,
      () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket.name,
            Prefix,
            ContinuationToken: token,
            // XML cannot hold every character that a key can.
            EncodingType: 'url',
          }),
          within(signal),
        ),
    );
    const isEncoded = EncodingType === 'url';
    return {
      entries: (Contents ?? []).flatMap((entry) => listedObject(entry, this.#bucket, Prefix, isEncoded)),
      next: IsTruncated === true ? NextContinuationToken : undefined,
    };
  }

  async get(
    key: string,
    { range, etag, signal, onNewConnection = false }: GetOptions = {},
  ): Promise<ObjectBody> {
    const client = onNewConnection ? (this.#unpooled ??= this.#makeUnpooled()) : this.#client;
    const wholeOrEmpty = range === undefined || range.start === range.end;
    const patience = wholeOrEmpty ? this.#idleTimeout : rangePatience(this.#idleTimeout);
    const silence = new AbortController();
    const command = new GetObjectCommand({
      Bucket: this.#bucket.name,
      Key: this.#bucket.keyOf(key),
      IfMatch: etag,
      Range: wholeOrEmpty ? undefined : `bytes=${range.start}-${range.end - 1}`,
    });
    if (!wholeOrEmpty) watchTries(command, patience, () => silence.abort(noByteCame(key, patience)));
    const abortSignal = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
    const answer = await this.#bucket.explained(key, () =>
      client.send(command, { abortSignal }).catch((error: unknown) => {
        throw silence.signal.aborted ? silence.signal.reason : error;
      }),
    );
    const body = answer.Body as Readable;
    try {
      const objectSize = objectSizeOf(key, answer.ContentRange, answer.ContentLength, range);
      const length = range === undefined ? objectSize : range.end - range.start;
      return {
        etag: answer.ETag ?? '',
        objectSize,
        chunks: this.#chunks(key, body, length, patience, signal),
        discard: () => destroyed(body),
      };
    } catch (error) {
      body.destroy();
      throw error;
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    try {
      const answer = await this.#bucket.explained(key, () =>
        this.#client.send(
          new HeadObjectCommand({ Bucket: this.#bucket.name, Key: this.#bucket.keyOf(key) }),
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
    await this.#bucket.explained(key, () =>
      this.#client.send(
        new PutObjectCommand({
          Bucket: this.#bucket.name,
          Key: this.#bucket.keyOf(key),
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
        Bucket: this.#bucket.name,
        Key: this.#bucket.keyOf(key),
        Body: Readable.from(chunks, { highWaterMark: 1 }),
      },
      queueSize: PARTS_IN_FLIGHT,
      partSize,
      leavePartsOnError: false,
    });
    try {
      await this.#bucket.explained(key, () => upload.done());
    } catch (error) {
      signal?.throwIfAborted();
      if (!(await this.#wasCompleted(error, key, size))) throw error;
    }
  }

  close(): void {
    this.#client.destroy();
    this.#unpooled?.destroy();
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
    length: number | undefined,
    patience: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer> {
    const stop = (): void => void body.destroy(asError(signal?.reason));
    const stalled = (): void => void body.destroy(noByteCame(key, patience));
    let timer = countdown(patience, stalled);
    signal?.addEventListener('abort', stop, { once: true });
    let received = 0;
    try {
      signal?.throwIfAborted();
      for await (const chunk of body) {
        // What the disk takes for it is not the store's.
        clearTimeout(timer);
        received += (chunk as Buffer).length;
        if (length !== undefined && received > length) break;
        yield chunk as Buffer;
        timer = countdown(patience, stalled);
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#bucket.explain(key, error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      body.destroy();
    }
    if (length !== undefined && received !== length) throw this.#wrongLength(key, length, received);
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
