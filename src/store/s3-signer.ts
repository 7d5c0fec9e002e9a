import { createHash, createHmac, createSecretKey, type Hash, type Hmac, type KeyObject } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { ResolvedCredentials } from './credentials.ts';
import { escaped, escapedKey, type S3Address } from './s3-address.ts';

const EMPTY_SHA256 = createHash('sha256').digest('hex');
/** A signature counts for 15 minutes, less what clocks differ. */
const REUSED_FOR_MS = 60_000;
const MOST_KEPT = 64;

export interface RequestToSign {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Of the bucket; `''` for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Lower-case names. They are not part of what is signed: range, if-match. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Lower-case names, signed: what says which bytes are sent. */
  readonly signedHeaders?: Readonly<Record<string, string>>;
}

export interface SignedRequest {
  readonly method: string;
  /** Path and query, escaped. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Signed {
  readonly headers: Readonly<Record<string, string>>;
  readonly until: number;
}

/** Makes requests to one bucket, signed where there are credentials. */
export class S3Signer {
  readonly #address: S3Address;
  readonly #signature: SignatureV4 | undefined;
  /** Key → the headers that are the same for every range of it. */
  readonly #kept = new Map<string, Signed>();

  constructor(address: S3Address, region: string, credentials: ResolvedCredentials | 'anonymous') {
    this.#address = address;
    this.#signature =
      credentials === 'anonymous'
        ? undefined
        : new SignatureV4({
            service: 's3',
            region,
            credentials: credentials.provider,
            sha256: NodeSha256,
            uriEscapePath: false,
            applyChecksum: false,
          });
  }

  async request({
    method,
    key,
    query = {},
    headers = {},
    signedHeaders = {},
  }: RequestToSign): Promise<SignedRequest> {
    const path = `${this.#address.base}${escapedKey(key)}`;
    const search = Object.entries(query)
      .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
      .toSorted()
      .join('&');
    const isKept = method === 'GET' && search === '' && Object.keys(signedHeaders).length === 0;
    const signed = isKept
      ? await this.#signedOnce(path)
      : await this.#sign(method, path, query, signedHeaders);
    const target = search === '' ? path : `${path}?${search}`;
    return { method, target, headers: { ...signed, ...headers } };
  }

  async #signedOnce(path: string): Promise<SignedRequest['headers']> {
    const now = Date.now();
    const kept = this.#kept.get(path);
    if (kept !== undefined && kept.until > now) return kept.headers;
    const headers = await this.#sign('GET', path, {}, {});
    if (this.#kept.size >= MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value ?? '');
    this.#kept.set(path, { headers, until: now + REUSED_FOR_MS });
    return headers;
  }

  async #sign(
    method: string,
    path: string,
    query: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>>,
  ): Promise<SignedRequest['headers']> {
    const host = this.#address.hostHeader;
    const all = { host, 'x-amz-content-sha256': EMPTY_SHA256, ...headers };
    const { endpoint } = this.#address;
    const request = {
      method,
      protocol: 'http:',
      hostname: endpoint.host,
      path,
      query: { ...query },
      headers: all,
    };
    const signed = this.#signature === undefined ? request : await this.#signature.sign(request);
    return signed.headers;
  }
}

/** Request line and headers as they are sent, with the empty line. */
export function requestText({ method, target, headers }: SignedRequest): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** What the signer hashes with: Node's own. */
class NodeSha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', keyOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error('a digest is made once');
  }
}

/** The signer keeps its keys, and Node takes five times as long for one that is bytes. */
const keys = new WeakMap<ArrayBuffer | ArrayBufferView, KeyObject>();

function keyOf(secret: string | ArrayBuffer | ArrayBufferView): string | KeyObject {
  if (typeof secret === 'string') return secret;
  const known = keys.get(secret) ?? createSecretKey(bytesOf(secret) as Uint8Array);
  keys.set(secret, known);
  return known;
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
