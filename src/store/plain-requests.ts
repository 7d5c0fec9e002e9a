import { ModelCacheError } from '../errors.ts';
import type { Answer } from '../wire/answer-reader.ts';
import type { Endpoint } from '../wire/connection.ts';
import { NotPlain } from './not-plain.ts';
import { faultOf } from './plain-answers.ts';
import { longer } from './range-patience.ts';
import type { S3Access, S3Settings } from './s3-access.ts';
import type { S3Address } from './s3-address.ts';
import { S3Names } from './s3-names.ts';
import { S3Signer, type RequestToSign, type SignedRequest } from './s3-signer.ts';
import { AnswerTooLarge, TookTooLong, WholeAnswers, type ReadOptions } from './whole-answers.ts';

/** Of a thousand entries, each with a key of 1 KiB that is escaped, there are less. */
const MAX_WORDS_BYTES = 8 * 1024 * 1024;

/** What all requests of our own to one bucket share: their names, their signatures, and what is made of the answers. */
export class PlainRequests {
  readonly names: S3Names;
  readonly endpoint: Endpoint;
  readonly #signer: S3Signer;
  readonly #answers: WholeAnswers;
  readonly #patience: number;

  constructor(settings: S3Settings, access: S3Access, address: S3Address) {
    this.names = new S3Names(settings);
    this.endpoint = { ...address.endpoint, ca: access.ca?.toString('latin1') };
    this.#signer = new S3Signer(address, settings.region, access.credentials);
    this.#answers = new WholeAnswers(this.endpoint, longer(settings.idleTimeout));
    this.#patience = settings.idleTimeout;
  }

  /** `key` is one of the store's. */
  sign(key: string, request: Omit<RequestToSign, 'key'>): Promise<SignedRequest> {
    return this.#signer.request({ ...request, key: this.names.keyOf(key) });
  }

  /** Without a key, it is about the bucket. */
  signForBucket(request: Omit<RequestToSign, 'key'>): Promise<SignedRequest> {
    return this.#signer.request({ ...request, key: '' });
  }

  /** A small answer, whatever it says. Throws as the store does, and `NotPlain`. */
  async ask(
    key: string | undefined,
    request: SignedRequest,
    signal: AbortSignal | undefined,
    options?: ReadOptions,
  ): Promise<Answer> {
    try {
      const { body, ...answer } = await this.#answers.read(request, signal, {
        atMost: MAX_WORDS_BYTES,
        ...options,
      });
      return { ...answer, body: body.toString('utf8') };
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TookTooLong) throw this.stalled(key);
      if (error instanceof AnswerTooLarge) throw new NotPlain(error.message);
      throw this.names.explain(key, error);
    }
  }

  /** What it says of one object, or of the load, is an answer; what another refusal means, the SDK is to find out. */
  refused(key: string | undefined, answer: Answer): Error {
    const error = this.names.explain(key, faultOf(answer));
    const isOfObject = error instanceof ModelCacheError && error.code.startsWith('object-');
    const isTransient = answer.status === 429 || answer.status >= 500;
    const { status } = answer;
    return isOfObject || isTransient ? error : new NotPlain(`status ${status}`, { status });
  }

  stalled(key: string | undefined): ModelCacheError {
    const what = key === undefined ? this.names.url : key;
    return new ModelCacheError(
      'store-stalled',
      `the store said nothing of ${what} for ${this.#patience / 1000} s`,
    );
  }

  close(): void {
    this.#answers.close();
  }
}
