import type { S3Settings } from './s3-access.ts';
import { explainS3Error } from './s3-errors.ts';
import { formatStoreUrl } from './store-url.ts';

/** How one bucket is spoken of: the prefix before every key, and errors that name the key. */
export class S3Names {
  /** Of the bucket. */
  readonly name: string;
  readonly url: string;
  readonly #settings: S3Settings;

  constructor(settings: S3Settings) {
    this.name = settings.bucket;
    this.url = formatStoreUrl({ kind: 's3', bucket: settings.bucket, prefix: settings.prefix });
    this.#settings = settings;
  }

  /** From a key of the store to one of the bucket; `''` is what all keys of the store begin with. */
  keyOf(key: string): string {
    return this.#settings.prefix === '' ? key : `${this.#settings.prefix}/${key}`;
  }

  /** From a key of the bucket to one of the store. */
  relative(key: string): string {
    return this.#settings.prefix === '' ? key : key.slice(this.#settings.prefix.length + 1);
  }

  explain(key: string | undefined, error: unknown): Error {
    const { bucket, endpoint, region } = this.#settings;
    const context = { url: this.url, bucket, endpoint, region };
    return explainS3Error(error, key === undefined ? context : { ...context, key });
  }
}
