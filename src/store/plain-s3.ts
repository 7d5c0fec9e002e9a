import { availableParallelism } from 'node:os';
import { ModelCacheError } from '../errors.ts';
import { NoThread } from '../threads/start.ts';
import { asSystemError } from '../threads/system-failure.ts';
import type { Endpoint } from '../wire/connection.ts';
import type { Refusal } from '../wire/messages.ts';
import { FetchFailed, Receivers } from '../wire/receivers.ts';
import { NotPlain } from './not-plain.ts';
import { otherObject, otherSize } from './object-errors.ts';
import { faultOf, parseListing } from './plain-answers.ts';
import type { PlainWriter } from './plain-writer.ts';
import { longer, rangePatience } from './range-patience.ts';
import type { S3Access, S3Settings } from './s3-access.ts';
import { s3Address, type S3Address } from './s3-address.ts';
import { listedObject } from './s3-keys.ts';
import { S3Names } from './s3-names.ts';
import type { Page } from './s3-pages.ts';
import { requestText, S3Signer, type SignedRequest } from './s3-signer.ts';
import type { FetchedRange, ObjectBody, RangeOrder, StoredObject } from './store.ts';
import { AnswerTooLarge, TookTooLong, WholeAnswers, type WholeAnswer } from './whole-answers.ts';

/** A connection decrypts some 1 GB/s on one core; without TLS, one thread is faster than any link. */
const MOST_RECEIVERS = 4;

/**
 * The requests that a cold start waits for, over sockets of our own: one listing, some manifests, and all the bytes.
 * Whatever is not plain is left to the SDK, by `NotPlain`.
 */
export class PlainS3 {
  readonly #names: S3Names;
  readonly #signer: S3Signer;
  readonly #answers: WholeAnswers;
  readonly #receivers: Receivers;
  readonly #patience: number;
  readonly #makeWriter: () => Promise<PlainWriter>;
  #writer: Promise<PlainWriter> | undefined;
  #roundTrip: number | undefined;

  private constructor(settings: S3Settings, access: S3Access, address: S3Address) {
    const endpoint: Endpoint = { ...address.endpoint, ca: access.ca?.toString('latin1') };
    this.#makeWriter = async () => {
      const { PlainWriter } = await import('./plain-writer.ts');
      return new PlainWriter(settings, access, address);
    };
    this.#names = new S3Names(settings);
    this.#signer = new S3Signer(address, settings.region, access.credentials);
    this.#patience = settings.idleTimeout;
    this.#answers = new WholeAnswers(endpoint, longer(settings.idleTimeout));
    const receivers = endpoint.isTls ? Math.min(MOST_RECEIVERS, availableParallelism() - 1) : 1;
    this.#receivers = new Receivers(endpoint, rangePatience(settings.idleTimeout), Math.max(1, receivers));
  }

  /** Undefined where the address takes more than this client knows. */
  static at(settings: S3Settings, access: S3Access): PlainS3 | undefined {
    const address = s3Address(settings.bucket, settings.region, settings.endpoint);
    return address && new PlainS3(settings, access, address);
  }

  /** Milliseconds that the store took to accept a connection. */
  get roundTrip(): number | undefined {
    return this.#roundTrip;
  }

  async page(
    prefix: string,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<StoredObject, string>> {
    const fullPrefix = this.#names.keyOf(prefix);
    const query = {
      'list-type': '2',
      'encoding-type': 'url',
      prefix: fullPrefix,
      ...(token === undefined ? {} : { 'continuation-token': token }),
    };
    const answer = await this.#read(
      undefined,
      await this.#signer.request({ method: 'GET', key: '', query }),
      signal,
    );
    if (answer.status !== 200) throw new NotPlain(`status ${answer.status} for a listing`);
    const page = plainly(() => parseListing(answer.body.toString('utf8')));
    return {
      entries: page.entries.flatMap((entry) => listedObject(entry, this.#names, fullPrefix, page.isEncoded)),
      next: page.next,
    };
  }

  /** The whole of an object, which must not be large. */
  async get(key: string, signal: AbortSignal | undefined): Promise<ObjectBody> {
    const request = await this.#signer.request({ method: 'GET', key: this.#names.keyOf(key) });
    const { status, headers, body } = await this.#read(key, request, signal);
    if (status !== 200) throw this.#explained(key, { status, headers, body: body.toString('utf8') });
    return {
      etag: headers['etag'] ?? '',
      objectSize: body.length,
      // oxlint-disable-next-line typescript/require-await -- the others' come piece by piece
      chunks: (async function* () {
        yield body;
      })(),
      discard: () => Promise.resolve(),
    };
  }

  async fetch(order: RangeOrder): Promise<FetchedRange> {
    const { key, range, etag, signal } = order;
    const headers = {
      ...(range.start === range.end ? {} : { range: `bytes=${range.start}-${range.end - 1}` }),
      ...(etag === undefined ? {} : { 'if-match': etag }),
    };
    const request = await this.#signer.request({ method: 'GET', key: this.#names.keyOf(key), headers });
    signal.throwIfAborted();
    const { size, into, algorithms, onNewConnection } = order;
    try {
      const {
        connectMs,
        etag: found,
        digests,
      } = await this.#receivers.fetch(
        { ...range, request: requestText(request), size, etag, into, algorithms, onNewConnection },
        order,
        signal,
      );
      this.#noteRoundTrip(connectMs);
      return { etag: found, digests };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NoThread) throw new NotPlain(error.message);
      throw error instanceof FetchFailed ? this.#explainedFailure(order, error) : error;
    }
  }

  /** Loaded when there is something to write. */
  writer(): Promise<PlainWriter> {
    this.#writer ??= this.#makeWriter();
    return this.#writer;
  }

  close(): void {
    void this.#writer?.then((writer) => writer.close());
    this.#answers.close();
    this.#receivers.close();
  }

  async #read(
    key: string | undefined,
    request: SignedRequest,
    signal: AbortSignal | undefined,
  ): Promise<WholeAnswer> {
    try {
      const answer = await this.#answers.read(request, signal);
      this.#noteRoundTrip(this.#answers.connectMs);
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TookTooLong) throw this.#stalled(key, this.#patience);
      if (error instanceof AnswerTooLarge) throw new NotPlain(error.message);
      throw this.#names.explain(key, error);
    }
  }

  #explainedFailure({ key, size, etag }: RangeOrder, { failure }: FetchFailed): Error {
    switch (failure.kind) {
      case 'refused':
        return this.#explained(key, failure.refusal);
      case 'unusual':
        return new NotPlain(failure.what);
      case 'silent':
        return this.#stalled(key, rangePatience(this.#patience));
      case 'other-object':
        return failure.size === size
          ? otherObject(key, etag ?? '', failure.etag)
          : otherSize(key, size, failure.size);
      case 'disk':
        return asSystemError(failure.error);
      case 'connection':
        return this.#names.explain(key, asSystemError(failure.error));
      case 'thread-ended':
        return new ModelCacheError('internal', `a thread that receives has ended: ${failure.message}`);
      case 'cancelled':
        return new ModelCacheError('internal', 'a fetch was stopped, and nobody had asked for it');
    }
  }

  /** What it says of one object, or of the load, is an answer; what another refusal means, the SDK is to find out. */
  #explained(key: string, refusal: Refusal): Error {
    const error = this.#names.explain(key, faultOf(refusal));
    const isOfObject = error instanceof ModelCacheError && error.code.startsWith('object-');
    const isTransient = refusal.status === 429 || refusal.status >= 500;
    return isOfObject || isTransient ? error : new NotPlain(`status ${refusal.status}`);
  }

  #noteRoundTrip(connectMs: number | undefined): void {
    if (connectMs !== undefined) this.#roundTrip = Math.min(this.#roundTrip ?? Infinity, connectMs);
  }

  #stalled(key: string | undefined, patience: number): ModelCacheError {
    const what = key === undefined ? `the listing of ${this.#names.url}` : key;
    return new ModelCacheError('store-stalled', `no byte of ${what} came for ${patience / 1000} s`);
  }
}

function plainly<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new NotPlain('an answer that is no listing', { cause });
  }
}
