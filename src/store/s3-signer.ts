import { SignatureV4 } from '@smithy/signature-v4';
import type { OwnOfGet } from '../wire/get-text.ts';
import type { ResolvedCredentials } from './credentials.ts';
import { GetSigner } from './get-signer.ts';
import { EMPTY_SHA256, NodeSha256 } from './node-sha256.ts';
import { escaped, escapedKey, type S3Address } from './s3-address.ts';

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

/** GETs of objects that are sent soon; `getText` makes each of them. */
export interface Gets {
  readonly common: string;
  readonly own: (key: string) => OwnOfGet;
}

/** Makes requests to one bucket, signed where there are credentials. */
export class S3Signer {
  readonly #address: S3Address;
  readonly #signature: SignatureV4 | undefined;
  readonly #gets: GetSigner | undefined;

  constructor(address: S3Address, region: string, credentials: ResolvedCredentials | 'anonymous') {
    this.#address = address;
    if (credentials === 'anonymous') return;
    this.#gets = new GetSigner(address.hostHeader, region, credentials);
    this.#signature = new SignatureV4({
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
    const isPlainGet = method === 'GET' && search === '' && Object.keys(signedHeaders).length === 0;
    const signing = isPlainGet ? await this.#gets?.now() : undefined;
    const signed =
      signing === undefined
        ? await this.#sign(method, path, query, signedHeaders)
        : { ...signing.headers, authorization: `${signing.signedBy}${signing.signature(path)}` };
    const target = search === '' ? path : `${path}?${search}`;
    return { method, target, headers: { ...signed, ...headers } };
  }

  /** Of many small files, each needs one. */
  async gets(): Promise<Gets> {
    const { base, hostHeader } = this.#address;
    const signing = await this.#gets?.now();
    const headers = signing
      ? { ...signing.headers, authorization: signing.signedBy }
      : commonHeaders(hostHeader);
    return {
      common: ` HTTP/1.1\r\n${headerLines(headers)}`,
      own: (key) => {
        const target = `${base}${escapedKey(key)}`;
        return { target, signature: signing?.signature(target) ?? '' };
      },
    };
  }

  async #sign(
    method: string,
    path: string,
    query: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>>,
  ): Promise<SignedRequest['headers']> {
    const host = this.#address.hostHeader;
    const all = { ...commonHeaders(host), ...headers };
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

/** Of all requests, signed or not. */
function commonHeaders(host: string): Readonly<Record<string, string>> {
  return { host, 'x-amz-content-sha256': EMPTY_SHA256 };
}

/** Request line and headers as they are sent, with the empty line. */
export function requestText({ method, target, headers }: SignedRequest): string {
  return `${method} ${target} HTTP/1.1\r\n${headerLines(headers)}\r\n\r\n`;
}

/** With no end behind the last. */
function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\r\n');
}
