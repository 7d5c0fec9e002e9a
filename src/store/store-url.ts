import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ModelCacheError } from '../errors.ts';
import { redactedAddress } from '../redact.ts';

/** Where models are kept, as `--store` names it. */
export type StoreUrl =
  | {
      readonly kind: 's3';
      readonly bucket: string;
      /** Without slashes at its ends; may be empty. */ readonly prefix: string;
    }
  | { readonly kind: 'file'; readonly path: string };

/** `s3://BUCKET[/PREFIX]` or `file:///PATH`. Throws `store-url-invalid`. Nothing secret may be in it. */
export function parseStoreUrl(text: string): StoreUrl {
  if (text.startsWith('s3://')) return parseS3(text);
  if (text.startsWith('file://')) return parseFile(text);
  throw invalid(text);
}

export function formatStoreUrl(url: StoreUrl): string {
  if (url.kind === 'file') return `file://${url.path}`;
  return url.prefix === '' ? `s3://${url.bucket}` : `s3://${url.bucket}/${url.prefix}`;
}

function parseS3(text: string): StoreUrl {
  const [bucket = '', ...rest] = text.slice('s3://'.length).split('/');
  const prefix = rest.filter((name) => name !== '').join('/');
  if (bucket === '' || isMoreThanAPath(text)) throw invalid(text);
  return { kind: 's3', bucket: parseBucket(bucket), prefix };
}

/** The bare name of a bucket; old ones have up to 255 letters. Throws `store-url-invalid`. */
export function parseBucket(text: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9._-]{2,254}$/.test(text)) return text;
  throw new ModelCacheError('store-url-invalid', 'no bucket has such a name', {
    wanted: '3 to 255 letters, digits, dots, hyphens and underscores, a letter or a digit first',
    found: redactedAddress(text),
  });
}

function parseFile(text: string): StoreUrl {
  if (isMoreThanAPath(text)) throw invalid(text);
  try {
    return { kind: 'file', path: resolve(fileURLToPath(text)) };
  } catch (cause) {
    throw invalid(text, cause);
  }
}

/** A query may be a signature; and who parses URLs drops it, and line ends, without a word. */
function isMoreThanAPath(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- they would be dropped
  return /[?#\u0000-\u001f]/.test(text);
}

function invalid(text: string, cause?: unknown): ModelCacheError {
  return new ModelCacheError('store-url-invalid', 'the store is named in another way', {
    wanted: 's3://BUCKET/PREFIX or file:///PATH',
    found: redactedAddress(text),
    cause,
  });
}
