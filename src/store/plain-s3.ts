import { availableParallelism } from 'node:os';
import { ModelCacheError } from '../errors.ts';
import { partsOf } from '../model/proof.ts';
import { NoThread } from '../threads/start.ts';
import { asSystemError } from '../threads/system-failure.ts';
import { getText, rangeLine } from '../wire/get-text.ts';
import type { Fetched, MadeFile } from '../wire/messages.ts';
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
import { noByteCame } from './stalled.ts';
import type { FetchOrder, FilesOrder, ObjectBody, RangeOrder, StoredObject } from './store.ts';

/** What a failure is about. */
interface FetchedObject {
  readonly key: string;
  readonly size: number;
  readonly etag?: string | undefined;
}

/** To decrypt is what bounds a thread that receives; without TLS, one is faster than any link. */
const MOST_RECEIVERS = 4;
const REFUSAL_BYTES = 64 * 1024;

interface SmallOptions {
  readonly signal: AbortSignal | undefined;
  /** Something of the answer has come. */
  readonly onSign: () => void;
  /** Bytes. */
  readonly atMost?: number | undefined;
}

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
    { signal, onSign }: SmallOptions,
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
    const answer = await this.#requests.ask(undefined, request, signal, { onSign });
    if (answer.status !== 200) throw this.#requests.refused(undefined, answer);
    const page = plainly(() => parseListing(answer.body));
    return {
      entries: page.entries.flatMap((entry) => listedObject(entry, names, fullPrefix, page.isEncoded)),
      next: page.next,
    };
  }

  /** The whole of an object, which must not be large. */
  async get(key: string, { signal, atMost, onSign }: SmallOptions): Promise<ObjectBody> {
    const request = await this.#requests.sign(key, { method: 'GET' });
    // What is said instead of it may be longer.
    const options = { onSign, ...(atMost !== undefined && { atMost: Math.max(atMost, REFUSAL_BYTES) }) };
    const { status, headers, body } = await this.#requests.read(key, request, signal, options);
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

  async fetch(order: RangeOrder): Promise<void> {
    const { key, range, size, etag, into, onNewConnection, signal } = order;
    const { common, own } = await this.#requests.gets(key);
    signal.throwIfAborted();
    const ifMatch = etag === undefined ? '' : `if-match: ${etag}\r\n`;
    const request = getText(common, own(key), `${rangeLine(range)}${ifMatch}`);
    const parts = order.parts && partsOf(range, order.parts);
    const errand = { kind: 'range', request, range, size, etag, into, parts, onNewConnection } as const;
    await this.#explained(
      order,
      () => order,
      () => this.#receivers.fetch(errand, order, signal),
    );
  }

  async fetchFiles(order: FilesOrder): Promise<void> {
    const { files, onNewConnection, signal, onMade } = order;
    const { common, own } = await this.#requests.gets(files[0]?.key);
    signal.throwIfAborted();
    const toMake = files.map(({ key, size, path, mode, algorithms }) => {
      const { target, signature } = own(key);
      return { target, signature, size, path, mode, algorithms };
    });
    const errand = { kind: 'files', common, files: toMake, onNewConnection } as const;
    let made = 0;
    const events = {
      ...order,
      onMade: (file: MadeFile) => {
        made += 1;
        onMade(file);
      },
    };
    await this.#explained(
      order,
      () => files[made],
      () => this.#receivers.fetchFiles(errand, events, signal),
    );
  }

  /** Loaded when there is something to write. */
  writer(): Promise<PlainWriter> {
    this.#writer ??= import('./plain-writer.ts').then(
      ({ PlainWriter }) => new PlainWriter(this.#requests, longer(this.#requests.patience)),
    );
    return this.#writer;
  }

  close(): void {
    // Whoever wanted it has heard why it could not be had.
    this.#writer?.then((writer) => writer.close()).catch(() => undefined);
    this.#requests.close();
    this.#receivers.close();
  }

  /** `atWork` says on which object, when it fails. */
  async #explained(
    { signal }: FetchOrder,
    atWork: () => FetchedObject | undefined,
    fetch: () => Promise<Fetched>,
  ): Promise<void> {
    try {
      const { connectMs } = await fetch();
      if (connectMs !== undefined) this.#connectMs = Math.min(this.#connectMs ?? Infinity, connectMs);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NoThread) throw new NotPlain(error.message);
      const object = atWork();
      throw error instanceof FetchFailed && object !== undefined
        ? this.#explainedFailure(object, error)
        : error;
    }
  }

  #explainedFailure({ key, size, etag }: FetchedObject, { failure }: FetchFailed): Error {
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
      case 'bug':
        return new ModelCacheError('internal', `a thread that receives has failed: ${failure.stack}`);
      case 'thread-ended':
        return new ModelCacheError('internal', `a thread that receives has ended: ${failure.message}`);
      case 'cancelled':
        return new ModelCacheError('internal', 'a fetch was stopped, and nobody had asked for it');
    }
  }
}

function plainly<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new NotPlain('an answer that is no listing', { cause });
  }
}
