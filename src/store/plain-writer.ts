import { NotPlain } from './not-plain.ts';
import { PlainRequests } from './plain-requests.ts';
import { PlainSender } from './plain-sender.ts';
import { PlainUploads } from './plain-uploads.ts';
import { longer } from './range-patience.ts';
import type { S3Access, S3Settings } from './s3-access.ts';
import type { S3Address } from './s3-address.ts';
import type { StoredObject } from './store.ts';

/** What it takes to write to a bucket, by our own client. Whatever is not plain is left to the SDK, by `NotPlain`. */
export class PlainWriter {
  readonly multiparts: PlainUploads;
  readonly #requests: PlainRequests;
  readonly #sender: PlainSender;

  constructor(settings: S3Settings, access: S3Access, address: S3Address) {
    this.#requests = new PlainRequests(settings, access, address);
    this.#sender = new PlainSender(this.#requests, longer(settings.idleTimeout));
    this.multiparts = new PlainUploads(this.#requests, this.#sender);
  }

  /** A whole small object. */
  put(key: string, bytes: Buffer, signal: AbortSignal | undefined): Promise<void> {
    return this.#sender.put(key, bytes, signal);
  }

  /** Undefined: there is none. */
  async head(key: string, signal: AbortSignal | undefined): Promise<StoredObject | undefined> {
    const request = await this.#requests.sign(key, { method: 'HEAD' });
    const { status, headers } = await this.#requests.ask(key, request, signal);
    if (status === 404) return undefined;
    const size = Number(headers['content-length']);
    if (status !== 200 || !Number.isSafeInteger(size)) throw new NotPlain(`status ${status} for an object`);
    return { key, size, etag: headers['etag'] ?? '' };
  }

  close(): void {
    this.#sender.close();
    this.#requests.close();
  }
}
