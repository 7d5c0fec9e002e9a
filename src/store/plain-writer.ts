import { NotPlain } from './not-plain.ts';
import type { PlainRequests } from './plain-requests.ts';
import { PlainSender } from './plain-sender.ts';
import { PlainUploads } from './plain-uploads.ts';
import type { StoredObject } from './store.ts';

/** What it takes to write to a bucket, by our own client. Whatever is not plain is left to the SDK, by `NotPlain`. */
export class PlainWriter {
  readonly multiparts: PlainUploads;
  readonly #requests: PlainRequests;
  readonly #sender: PlainSender;

  /** What does not move for `patience` milliseconds is given up. 0: never. */
  constructor(requests: PlainRequests, patience: number) {
    this.#requests = requests;
    this.#sender = new PlainSender(requests, patience);
    this.multiparts = new PlainUploads(requests, this.#sender);
  }

  /** A whole small object. */
  put(key: string, bytes: Buffer, signal: AbortSignal | undefined): Promise<void> {
    return this.#sender.put(key, bytes, signal);
  }

  /** Undefined: there is none. */
  async head(key: string, signal: AbortSignal | undefined): Promise<StoredObject | undefined> {
    const request = await this.#requests.sign(key, { method: 'HEAD' });
    const answer = await this.#requests.ask(key, request, signal);
    const { status, headers } = answer;
    if (status === 404) return undefined;
    if (status !== 200) throw this.#requests.refused(key, answer);
    const size = Number(headers['content-length']);
    if (!Number.isSafeInteger(size)) throw new NotPlain('an object without a size');
    return { key, size, etag: headers['etag'] ?? '' };
  }

  close(): void {
    this.#sender.close();
  }
}
