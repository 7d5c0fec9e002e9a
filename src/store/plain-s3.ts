import { availableParallelism } from 'node:os';
import { ModelCacheError } from '../errors.ts';
import { partsOf } from '../model/proof.ts';
import { NoThread } from '../threads/start.ts';
import { asSystemError } from '../threads/system-failure.ts';
import { FetchFailed, Receivers } from '../wire/receivers.ts';
import { NotPlain } from './not-plain.ts';
import { otherObject, otherSize } from './object-errors.ts';
import { parseListing } from './plain-answers.ts';
import { PlainRequests } from './plain-requests.ts';
import type { PlainWriter } from './plain-writer.ts';
import { longer, rangePatience } from './range-patience.ts';
import type { S3Access, S3Settings } from './s3-access.ts';
import { s3Address, type S3Address } from './s3-address.ts';
import { listedObject } from './s3-keys.ts';
import type { Page } from './s3-pages.ts';
import { requestText } from './s3-signer.ts';
import { noByteCame } from './stalled.ts';
import type { FetchedRange, ObjectBody, RangeOrder, StoredObject } from './store.ts';

/** To decrypt is what bounds a thread that receives; without TLS, one is faster than any link. */
const MOST_RECEIVERS = 4;

/**
 * The requests that a cold start waits for, over sockets of our own: one listing, some manifests, and all the bytes.
 * Whatever is not plain is left to the SDK, by `NotPlain`.
 */
export class PlainS3 {
  readonly #requests: PlainRequests;
  readonly #receivers: Receivers;
  #writer: Promise<PlainWriter> | undefined;
  #connectMs: number | undefined;

  private constructor(settings: S3Settings, access: S3Access, address: S3Address) {
    this.#requests = new PlainRequests(settings, access, address);
    const { endpoint } = this.#requests;
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
    const known = [this.#connectMs, this.#requests.connectMs].filter((time) => time !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  async page(
    prefix: string,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<StoredObject, string>> {
    const { names } = this.#requests;
    const fullPrefix = names.keyOf(prefix);
    const query = {
      'list-type': '2',
      'encoding-type': 'url',
      prefix: fullPrefix,
      ...(token === undefined ? {} : { 'continuation-token': token }),
    };
    const request = await this.#requests.sign(undefined, { method: 'GET', query });
    const answer = await this.#requests.ask(undefined, request, signal);
    if (answer.status !== 200) throw new NotPlain(`status ${answer.status} for a listing`);
    const page = plainly(() => parseListing(answer.body));
    return {
      entries: page.entries.flatMap((entry) => listedObject(entry, names, fullPrefix, page.isEncoded)),
      next: page.next,
    };
  }

  /** The whole of an object, which must not be large. */
  async get(key: string, signal: AbortSignal | undefined): Promise<ObjectBody> {
    const request = await this.#requests.sign(key, { method: 'GET' });
    const { status, headers, body } = await this.#requests.read(key, request, signal);
    if (status !== 200) throw this.#requests.refused(key, { status, headers, body: body.toString('utf8') });
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

  takeLoad(): number {
    return this.#receivers.takeLoad();
  }

  prepare(connections: number): void {
    this.#receivers.prepare(connections);
  }

  async fetch(order: RangeOrder): Promise<FetchedRange> {
    const { key, range, etag, signal } = order;
    const headers = {
      ...(range.start === range.end ? {} : { range: `bytes=${range.start}-${range.end - 1}` }),
      ...(etag === undefined ? {} : { 'if-match': etag }),
    };
    const request = await this.#requests.sign(key, { method: 'GET', headers });
    signal.throwIfAborted();
    const { size, into, algorithms, onNewConnection } = order;
    const parts = order.parts && partsOf(range, order.parts);
    try {
      const {
        connectMs,
        etag: found,
        digests,
      } = await this.#receivers.fetch(
        { ...range, request: requestText(request), size, etag, into, parts, algorithms, onNewConnection },
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
    this.#writer ??= import('./plain-writer.ts').then(
      ({ PlainWriter }) => new PlainWriter(this.#requests, longer(this.#requests.patience)),
    );
    return this.#writer;
  }

  close(): void {
    void this.#writer?.then((writer) => writer.close());
    this.#requests.close();
    this.#receivers.close();
  }

  #explainedFailure({ key, size, etag }: RangeOrder, { failure }: FetchFailed): Error {
    switch (failure.kind) {
      case 'refused':
        return this.#requests.refused(key, failure.refusal);
      case 'unusual':
        return new NotPlain(failure.what);
      case 'silent':
        return noByteCame(key, rangePatience(this.#requests.patience));
      case 'other-object':
        return failure.size === size
          ? otherObject(key, etag ?? '', failure.etag)
          : otherSize(key, size, failure.size);
      case 'disk':
        return asSystemError(failure.error);
      case 'connection':
        return this.#requests.names.explain(key, asSystemError(failure.error));
      case 'thread-ended':
        return new ModelCacheError('internal', `a thread that receives has ended: ${failure.message}`);
      case 'cancelled':
        return new ModelCacheError('internal', 'a fetch was stopped, and nobody had asked for it');
    }
  }

  #noteRoundTrip(connectMs: number | undefined): void {
    if (connectMs !== undefined) this.#connectMs = Math.min(this.#connectMs ?? Infinity, connectMs);
  }
}

function plainly<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new NotPlain('an answer that is no listing', { cause });
  }
}
