import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { isObjectKey } from '../model/bucket.ts';
import { ModelCacheError, type ErrorCode } from '../errors.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { within } from './s3-client.ts';
import { answeredAt, sendOnce, trimAnswer } from './s3-middleware.ts';
import { decodedKey } from './s3-keys.ts';
import { entriesOf } from './s3-pages.ts';
import { sendStreamed } from './streamed-body.ts';
import type { Multiparts, OpenUpload, PartToSend, SentPart } from './store.ts';

interface UploadMarker {
  readonly key: string;
  readonly id: string | undefined;
}

/** Every method throws the reason of its signal once that has aborted. */
export class S3Multiparts implements Multiparts {
  readonly #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  async list(key: string, signal?: AbortSignal): Promise<readonly OpenUpload[]> {
    const uploads = await Array.fromAsync(this.#uploads(key, signal));
    return uploads.filter((upload) => upload.key === key);
  }

  async create(key: string, signal?: AbortSignal): Promise<OpenUpload> {
    const command = new CreateMultipartUploadCommand({
      Bucket: this.#bucket.name,
      Key: this.#bucket.keyOf(key),
    });
    const initiated = answeredAt(command);
    const { UploadId: id } = await this.#explained(key, signal, () =>
      this.#bucket.client.send(command, within(signal)),
    );
    if (id === undefined) throw withoutWord(this.#bucket.url, key, 'an upload id');
    return { key, id, initiated: initiated() };
  }

  parts({ key, id }: OpenUpload, signal?: AbortSignal): Promise<readonly SentPart[]> {
    const parts = entriesOf<SentPart, string>(this.#bucket.url, async (marker) => {
      const page = await this.#explained(key, signal, () =>
        this.#bucket.client.send(
          new ListPartsCommand({ ...this.#named(key, id), PartNumberMarker: marker }),
          within(signal),
        ),
      );
      return {
        // MinIO lists parts that are still being written, empty and of the year 1: they are not there yet.
        entries: (page.Parts ?? [])
          .filter(({ Size, ETag }) => Size !== 0 || unquoted(ETag) !== '')
          .map(({ PartNumber, Size, ETag, LastModified }) => ({
            number: PartNumber ?? 0,
            size: Size ?? 0,
            etag: unquoted(ETag),
            modified: timeOf(LastModified),
          })),
        next: page.IsTruncated === true ? page.NextPartNumberMarker : undefined,
      };
    });
    return Array.fromAsync(parts);
  }

  async putPart({ key, id }: OpenUpload, part: PartToSend, signal?: AbortSignal): Promise<string> {
    const { number, size, md5, chunks } = part;
    const send = (Body: NonNullable<UploadPartBody>, ending: AbortSignal): Promise<string> =>
      this.#bucket.explained(key, async () => {
        const command = new UploadPartCommand({
          ...this.#named(key, id),
          PartNumber: number,
          ContentLength: size,
          ContentMD5: Buffer.from(md5, 'hex').toString('base64'),
          Body,
        });
        sendOnce(command);
        const { ETag } = await this.#bucket.client.send(command, within(ending));
        if (ETag === undefined) throw withoutWord(this.#bucket.url, key, 'the ETag of a part');
        return unquoted(ETag);
      });
    return sendStreamed({ size, chunks, signal }, send);
  }

  async complete({ key, id }: OpenUpload, parts: readonly SentPart[], signal?: AbortSignal): Promise<void> {
    const Parts = parts
      .toSorted((a, b) => a.number - b.number)
      .map(({ number, etag }) => ({ PartNumber: number, ETag: etag }));
    const command = new CompleteMultipartUploadCommand({
      ...this.#named(key, id),
      MultipartUpload: { Parts },
    });
    trimAnswer(command);
    const { ETag } = await this.#explained(key, signal, () =>
      this.#bucket.client.send(command, within(signal)),
    );
    if (ETag === undefined) throw withoutWord(this.#bucket.url, key, 'the ETag of the object');
  }

  async abort({ key, id }: OpenUpload, signal?: AbortSignal): Promise<void> {
    try {
      await this.#explained(key, signal, () =>
        this.#bucket.client.send(new AbortMultipartUploadCommand(this.#named(key, id)), within(signal)),
      );
    } catch (error) {
      if (!isOf(error, 'object-upload-gone')) throw error;
    }
  }

  /** `Store.abandonUploads`; what this key may not see or take back stays. */
  async abandon(before: number, signal?: AbortSignal): Promise<number> {
    let count = 0;
    try {
      for await (const upload of this.#uploads('', signal)) {
        if (!isObjectKey(upload.key) || !(await this.#isLeft(upload, before, signal))) continue;
        await this.abort(upload, signal);
        count += 1;
      }
    } catch (error) {
      if (!isOf(error, 'store-denied', 'store-unsupported')) throw error;
    }
    return count;
  }

  async #isLeft(upload: OpenUpload, before: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (upload.initiated >= before) return false;
    try {
      const parts = await this.parts(upload, signal);
      return parts.every(({ modified }) => modified < before);
    } catch (error) {
      if (isOf(error, 'object-upload-gone')) return false;
      throw error;
    }
  }

  #uploads(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<OpenUpload> {
    const Prefix = this.#bucket.keyOf(prefix);
    return entriesOf<OpenUpload, UploadMarker>(this.#bucket.url, async (marker) => {
      const page = await this.#explained(prefix === '' ? undefined : prefix, signal, () =>
        this.#bucket.client.send(
          new ListMultipartUploadsCommand({
            Bucket: this.#bucket.name,
            Prefix,
            KeyMarker: marker?.key,
            UploadIdMarker: marker?.id,
            EncodingType: 'url',
          }),
          within(signal),
        ),
      );
      const keyIn = (text: string | undefined): string | undefined =>
        page.EncodingType === 'url' && text !== undefined ? decodedKey(text) : text;
      const nextKey = keyIn(page.NextKeyMarker);
      return {
        entries: (page.Uploads ?? []).flatMap(({ Key, UploadId, Initiated }) => {
          const key = keyIn(Key);
          return key?.startsWith(Prefix) === true && UploadId !== undefined
            ? [{ key: this.#bucket.relative(key), id: UploadId, initiated: timeOf(Initiated) }]
            : [];
        }),
        next:
          page.IsTruncated === true && nextKey !== undefined
            ? { key: nextKey, id: page.NextUploadIdMarker }
            : undefined,
      };
    });
  }

  #named(key: string, id: string): { Bucket: string; Key: string; UploadId: string } {
    return { Bucket: this.#bucket.name, Key: this.#bucket.keyOf(key), UploadId: id };
  }

  async #explained<T>(
    key: string | undefined,
    signal: AbortSignal | undefined,
    request: () => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await this.#bucket.explained(key, request);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }
}

type UploadPartBody = ConstructorParameters<typeof UploadPartCommand>[0]['Body'];

/** Without a time it counts as of this moment, so that nobody takes it for left behind. */
function timeOf(date: Date | undefined): number {
  return date?.getTime() ?? Date.now();
}

function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}

function isOf(error: unknown, ...codes: readonly ErrorCode[]): boolean {
  return error instanceof ModelCacheError && codes.includes(error.code);
}

function withoutWord(url: string, key: string, wanted: string): ModelCacheError {
  return new ModelCacheError('store-failed', `${url} answered for ${key} without ${wanted}`);
}
