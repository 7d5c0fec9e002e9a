import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { listedPart, listedUpload, unquoted, withoutWord } from './listed-uploads.ts';
import type { MultipartCalls, UploadMarker } from './multipart-calls.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { within } from './s3-client.ts';
import { decodedKey } from './s3-keys.ts';
import { answeredAt, sendOnce, trimAnswer } from './s3-middleware.ts';
import type { Page } from './s3-pages.ts';
import { sendStreamed } from './streamed-body.ts';
import type { OpenUpload, PartToSend, SentPart } from './store.ts';

/** The requests of uploads in parts, by the SDK. */
export class S3Multiparts implements MultipartCalls {
  readonly #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  async uploads(
    prefix: string,
    marker: UploadMarker | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<OpenUpload, UploadMarker>> {
    const Prefix = this.#bucket.keyOf(prefix);
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
    const isEncoded = page.EncodingType === 'url';
    const { NextKeyMarker } = page;
    const nextKey = isEncoded && NextKeyMarker !== undefined ? decodedKey(NextKeyMarker) : NextKeyMarker;
    return {
      entries: (page.Uploads ?? []).flatMap((entry) => listedUpload(entry, this.#bucket, Prefix, isEncoded)),
      next:
        page.IsTruncated === true && nextKey !== undefined
          ? { key: nextKey, id: page.NextUploadIdMarker }
          : undefined,
    };
  }

  async create(key: string, signal: AbortSignal | undefined): Promise<OpenUpload> {
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

  async parts(
    { key, id }: OpenUpload,
    marker: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<SentPart, string>> {
    const page = await this.#explained(key, signal, () =>
      this.#bucket.client.send(
        new ListPartsCommand({ ...this.#named(key, id), PartNumberMarker: marker }),
        within(signal),
      ),
    );
    return {
      entries: (page.Parts ?? []).flatMap(listedPart),
      next: page.IsTruncated === true ? page.NextPartNumberMarker : undefined,
    };
  }

  async putPart(
    { key, id }: OpenUpload,
    { number, size, md5, chunks }: PartToSend,
    signal: AbortSignal | undefined,
  ): Promise<string> {
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
    return sendStreamed({ size, chunks: chunks(), signal }, send);
  }

  async complete(
    { key, id }: OpenUpload,
    parts: readonly SentPart[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
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

  async abort({ key, id }: OpenUpload, signal: AbortSignal | undefined): Promise<void> {
    await this.#explained(key, signal, () =>
      this.#bucket.client.send(new AbortMultipartUploadCommand(this.#named(key, id)), within(signal)),
    );
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
