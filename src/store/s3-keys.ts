import type { StoredObject } from './store.ts';

interface ListedEntry {
  readonly Key?: string | undefined;
  readonly Size?: number | undefined;
  readonly ETag?: string | undefined;
}

/** An entry of a listing as an object of the store; nothing for what is none, or was not asked for. */
export function listedObject(
  { Key, Size, ETag }: ListedEntry,
  bucket: { readonly relative: (key: string) => string },
  prefix: string,
  isEncoded: boolean,
): readonly StoredObject[] {
  const key = isEncoded ? decodedKey(Key ?? '') : Key;
  if (key?.startsWith(prefix) !== true || key.endsWith('/')) return [];
  if (!Number.isSafeInteger(Size) || Size === undefined || Size < 0) return [];
  return [{ key: bucket.relative(key), size: Size, etag: ETag ?? '' }];
}

/** A key from a listing with `encoding-type=url`; undefined when it is none in UTF-8: nothing of ours has such a key. */
export function decodedKey(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
