import { ModelCacheError, type ErrorCode } from '../errors.ts';
import { isObjectKey } from '../model/bucket.ts';
import type { MultipartCalls, UploadMarker } from './multipart-calls.ts';
import { entriesOf } from './s3-pages.ts';
import type { Multiparts, OpenUpload, PartToSend, SentPart } from './store.ts';

/** Has a call made by the client that can make it. What carries bytes may go another way than what does not. */
export type Caller = <T>(
  carries: 'bytes' | 'words',
  call: (calls: MultipartCalls) => Promise<T>,
) => Promise<T>;

/** The uploads in a bucket, whoever makes the requests. */
export class S3Uploads implements Multiparts {
  readonly #url: string;
  readonly #by: Caller;

  constructor(url: string, by: Caller) {
    this.#url = url;
    this.#by = by;
  }

  async list(key: string, signal?: AbortSignal): Promise<readonly OpenUpload[]> {
    const uploads = await Array.fromAsync(this.#uploads(key, signal));
    return uploads.filter((upload) => upload.key === key);
  }

  create(key: string, signal?: AbortSignal): Promise<OpenUpload> {
    return this.#by('words', (calls) => calls.create(key, signal));
  }

  parts(upload: OpenUpload, signal?: AbortSignal): Promise<readonly SentPart[]> {
    const parts = entriesOf<SentPart, string>(this.#url, (marker) =>
      this.#by('words', (calls) => calls.parts(upload, marker, signal)),
    );
    return Array.fromAsync(parts);
  }

  putPart(upload: OpenUpload, part: PartToSend, signal?: AbortSignal): Promise<string> {
    return this.#by('bytes', (calls) => calls.putPart(upload, part, signal));
  }

  complete(
    upload: OpenUpload,
    parts: readonly SentPart[],
    signal?: AbortSignal,
    onSign?: () => void,
  ): Promise<void> {
    return this.#by('words', (calls) => calls.complete(upload, parts, signal, onSign));
  }

  async abort(upload: OpenUpload, signal?: AbortSignal): Promise<void> {
    try {
      await this.#by('words', (calls) => calls.abort(upload, signal));
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
    return entriesOf<OpenUpload, UploadMarker>(this.#url, (marker) =>
      this.#by('words', (calls) => calls.uploads(prefix, marker, signal)),
    );
  }
}

function isOf(error: unknown, ...codes: readonly ErrorCode[]): boolean {
  return error instanceof ModelCacheError && codes.includes(error.code);
}
