import { hash } from 'node:crypto';
import type { Answer } from '../wire/answer-reader.ts';
import { listedPart, listedUpload, unquoted } from './listed-uploads.ts';
import { completionOf, parseCompleted, parseCreated, parseParts, parseUploads } from './multipart-answers.ts';
import type { MultipartCalls, UploadMarker } from './multipart-calls.ts';
import { NotPlain } from './not-plain.ts';
import type { PlainRequests } from './plain-requests.ts';
import type { PlainSender } from './plain-sender.ts';
import { decodedKey } from './s3-keys.ts';
import type { Page } from './s3-pages.ts';
import type { OpenUpload, PartToSend, SentPart } from './store.ts';

/** The requests of uploads in parts, by our own client. Whatever is not plain is left to the SDK, by `NotPlain`. */
export class PlainUploads implements MultipartCalls {
  readonly #requests: PlainRequests;
  readonly #sender: PlainSender;

  constructor(requests: PlainRequests, sender: PlainSender) {
    this.#requests = requests;
    this.#sender = sender;
  }

  async uploads(
    prefix: string,
    marker: UploadMarker | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<OpenUpload, UploadMarker>> {
    const { names } = this.#requests;
    const fullPrefix = names.keyOf(prefix);
    const query = {
      uploads: '',
      'encoding-type': 'url',
      prefix: fullPrefix,
      ...(marker === undefined ? {} : { 'key-marker': marker.key }),
      ...(marker?.id === undefined ? {} : { 'upload-id-marker': marker.id }),
    };
    const request = await this.#requests.sign(undefined, { method: 'GET', query });
    const about = prefix === '' ? undefined : prefix;
    const answer = await this.#asked(about, this.#requests.ask(about, request, signal));
    const page = understood(answer, parseUploads);
    const nextKey = page.isEncoded && page.next !== undefined ? decodedKey(page.next.key) : page.next?.key;
    return {
      entries: page.entries.flatMap((entry) => listedUpload(entry, names, fullPrefix, page.isEncoded)),
      next: nextKey === undefined ? undefined : { key: nextKey, id: page.next?.id },
    };
  }

  async create(key: string, signal: AbortSignal | undefined): Promise<OpenUpload> {
    const request = await this.#requests.sign(key, { method: 'POST', query: { uploads: '' } });
    const answer = await this.#asked(key, this.#requests.ask(key, request, signal));
    const date = Date.parse(answer.headers['date'] ?? '');
    return { key, id: understood(answer, parseCreated), initiated: Number.isNaN(date) ? Date.now() : date };
  }

  async parts(
    { key, id }: OpenUpload,
    marker: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<SentPart, string>> {
    const query = { uploadId: id, ...(marker === undefined ? {} : { 'part-number-marker': marker }) };
    const request = await this.#requests.sign(key, { method: 'GET', query });
    const answer = await this.#asked(key, this.#requests.ask(key, request, signal));
    const { entries, next } = understood(answer, parseParts);
    return { entries: entries.flatMap(listedPart), next };
  }

  async putPart(
    upload: OpenUpload,
    { number, ...part }: PartToSend,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const query = { partNumber: String(number), uploadId: upload.id };
    try {
      const etag = unquoted(await this.#sender.sendPart(upload.key, query, part, signal));
      if (etag === '') throw new NotPlain('a part without an ETag');
      return etag;
    } catch (error) {
      // To ask costs less than to have the SDK send the part once more, just to hear that the upload is gone.
      if (error instanceof NotPlain && error.status === 404) await this.parts(upload, undefined, signal);
      throw error;
    }
  }

  async complete(
    { key, id }: OpenUpload,
    parts: readonly SentPart[],
    signal: AbortSignal | undefined,
    onSign: () => void = () => undefined,
  ): Promise<void> {
    const body = completionOf(parts);
    const request = await this.#requests.sign(key, {
      method: 'POST',
      query: { uploadId: id },
      headers: { 'content-type': 'application/xml', 'content-length': String(body.length) },
      signedHeaders: { 'x-amz-content-sha256': hash('sha256', body) },
    });
    const asking = this.#requests.ask(key, request, signal, { body, mayTakeLong: true, onSign });
    const answer = await this.#asked(key, asking);
    // A store that takes long says 200 before it knows how it ends.
    if (isError(answer)) throw this.#requests.refused(key, { ...answer, status: 500 });
    understood(answer, parseCompleted);
  }

  async abort({ key, id }: OpenUpload, signal: AbortSignal | undefined): Promise<void> {
    const request = await this.#requests.sign(key, { method: 'DELETE', query: { uploadId: id } });
    await this.#asked(key, this.#requests.ask(key, request, signal));
  }

  async #asked(key: string | undefined, asking: Promise<Answer>): Promise<Answer> {
    const answer = await asking;
    if (answer.status === 200 || answer.status === 204) return answer;
    throw this.#requests.refused(key, answer);
  }
}

function isError({ body }: Answer): boolean {
  return /^\s*(?:<\?xml[^>]*>\s*)?<Error[\s>]/.test(body);
}

function understood<T>({ body }: Answer, parse: (xml: string) => T): T {
  try {
    return parse(body);
  } catch (cause) {
    throw new NotPlain('an answer that is none', { cause });
  }
}
