import { ModelCacheError } from '../errors.ts';
import type { Endpoint } from '../wire/connection.ts';
import type { Answer } from '../wire/answer-reader.ts';
import { NotPlain } from './not-plain.ts';
import { faultOf } from './plain-answers.ts';
import { longer } from './range-patience.ts';
import type { S3Access, S3Settings } from './s3-access.ts';
import type { S3Address } from './s3-address.ts';
import { S3Names } from './s3-names.ts';
import { S3Signer, type Gets, type RequestToSign, type SignedRequest } from './s3-signer.ts';
import { noByteCame } from './stalled.ts';
import {
  AnswerTooLarge,
  TookTooLong,
  WholeAnswers,
  type ReadOptions,
  type WholeAnswer,
} from './whole-answers.ts';

/** Of a thousand entries, each with a key of 1 KiB that is escaped, there are less. */
const MAX_WORDS_BYTES = 8 * 1024 * 1024;

/** What all requests of our own to one bucket share: their names, their signatures, and what is made of the answers. */
export class PlainRequests {
  readonly names: S3Names;
  readonly endpoint: Endpoint;
  /** As it was asked for, in milliseconds; 0: endless. */
  readonly patience: number;
  readonly #signer: S3Signer;
  readonly #answers: WholeAnswers;

  constructor(settings: S3Settings, access: S3Access, address: S3Address) {
    this.names = new S3Names(settings);
    this.endpoint = { ...address.endpoint, ca: access.ca?.toString('latin1') };
    this.#signer = new S3Signer(address, settings.region, access.credentials);
    this.#answers = new WholeAnswers(this.endpoint, longer(settings.idleTimeout));
    this.patience = settings.idleTimeout;
  }

  /** Milliseconds that the quickest connection took to be accepted; undefined while there was none. */
  get connectMs(): number | undefined {
    return this.#answers.connectMs;
  }

  /** Without a key, it is about the bucket. Throws what is wrong with the credentials, as all that is said of a store. */
  async sign(key: string | undefined, request: Omit<RequestToSign, 'key'>): Promise<SignedRequest> {
    try {
      return await this.#signer.request({ ...request, key: key === undefined ? '' : this.names.keyOf(key) });
    } catch (error) {
      throw this.names.explain(key, error);
    }
  }

  /** For objects that are asked for soon, of which there may be many; the first is `forKey`. Throws the same. */
  async gets(forKey: string | undefined): Promise<Gets> {
    try {
      const { common, own } = await this.#signer.gets();
      return { common, own: (key) => own(this.names.keyOf(key)) };
    } catch (error) {
      throw this.names.explain(forKey, error);
    }
  }

  /** What a store says, whatever it is. Throws as the store does, and `NotPlain`. */
  async ask(
    key: string | undefined,
    request: SignedRequest,
    signal: AbortSignal | undefined,
    options?: ReadOptions,
  ): Promise<Answer> {
    const bounded = { atMost: MAX_WORDS_BYTES, ...options };
    const { body, ...answer } = await this.read(key, request, signal, bounded);
    return { ...answer, body: body.toString('utf8') };
  }

  /** The same for an answer that may be an object. */
  async read(
    key: string | undefined,
    request: SignedRequest,
    signal: AbortSignal | undefined,
    options?: ReadOptions,
  ): Promise<WholeAnswer> {
    try {
      return await this.#answers.read(request, signal, options);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TookTooLong)
        throw noByteCame(key ?? `the listing of ${this.names.url}`, this.patience);
      if (error instanceof AnswerTooLarge) throw new NotPlain(error.message);
      throw this.names.explain(key, error);
    }
  }

  /** What it says of one object, or of the load, is an answer; what another refusal means, the SDK is to find out. */
  refused(key: string | undefined, refusal: Answer): Error {
    const error = this.names.explain(key, faultOf(refusal));
    const isOfObject = error instanceof ModelCacheError && error.code.startsWith('object-');
    const { status } = refusal;
    // A balancer says 408 to a connection that has been idle.
    const isTransient = status === 408 || status === 429 || status >= 500;
    return isOfObject || isTransient ? error : new NotPlain(`status ${status}`, { status });
  }

  close(): void {
    this.#answers.close();
  }
}
