import type { Endpoint } from '../wire/connection.ts';
import { providerOf } from './providers.ts';

/** Where a bucket's objects are, over plain HTTP/1.1. */
export interface S3Address {
  readonly endpoint: Omit<Endpoint, 'ca'>;
  /** As the Host header has it. */
  readonly hostHeader: string;
  /** What comes before the key in every path: `/`, or `/BUCKET/`. */
  readonly base: string;
}

/** Regions of AWS whose endpoints end in `.amazonaws.com`. */
const COMMON_REGION = /^(?:af|ap|ca|eu|il|me|mx|sa|us)-(?:gov-)?[a-z]+-\d{1,2}$/;
/** A bucket whose name is a host name without dots: with dots, no certificate fits it. */
const PLAIN_BUCKET = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** Undefined where it takes the SDK to know the address. */
export function s3Address(
  bucket: string,
  region: string,
  endpoint: string | undefined,
): S3Address | undefined {
  if (endpoint === undefined) {
    if (!COMMON_REGION.test(region) || !PLAIN_BUCKET.test(bucket)) return undefined;
    return addressAt(new URL(`https://${bucket}.s3.${region}.amazonaws.com`), '/');
  }
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isPlain = url !== undefined && url.pathname === '/' && url.search === '' && url.username === '';
  if (!isPlain || !['http:', 'https:'].includes(url.protocol)) return undefined;
  if (providerOf(endpoint).forcePathStyle) return addressAt(url, `/${escaped(bucket)}/`);
  if (!PLAIN_BUCKET.test(bucket)) return undefined;
  url.hostname = `${bucket}.${url.hostname}`;
  return addressAt(url, '/');
}

function addressAt({ protocol, hostname, port, host }: URL, base: string): S3Address {
  const isTls = protocol === 'https:';
  const name = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  const endpoint = { host: name, port: port === '' ? (isTls ? 443 : 80) : Number(port), isTls };
  return { endpoint, hostHeader: host, base };
}

const UNRESERVED = /^[A-Za-z0-9._~/-]*$/;

/** A key as it stands in a path and in what is signed. */
export function escapedKey(key: string): string {
  if (UNRESERVED.test(key)) return key;
  return key.split('/').map(escaped).join('/');
}

/** Everything but unreserved characters (RFC 3986, 2.3). */
export function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
