import { ModelCacheError } from '../errors.ts';
import { isSha256 } from './digest.ts';
import type { ManifestFile } from './manifest.ts';
import { roleOf, type TreeName } from './tree.ts';

/**
 * The bucket's layout, version 1: which key holds what. Keys are relative to the store's prefix.
 * docs/bucket-format.md is its description.
 */
export const LAYOUT_PREFIX = '.model-cache/v1/';
export const FORMAT_KEY = '.model-cache/v1/format.json';
export const MANIFESTS_PREFIX = '.model-cache/v1/manifests/';
const DATA_PREFIX = '.model-cache/v1/data/';
const DOOMED_PREFIX = '.model-cache/v1/doomed/';
/** What a dir keeps of its own beside the cache (`state.json`, `partial/`) may have been copied into the bucket with it. */
const VERSIONED = /^\.model-cache\/v\d+\//;

export const FORMAT_BYTES = Buffer.from(`${JSON.stringify({ format: 'model-cache', version: 1 })}\n`);

/** The key that holds a file's bytes: a blob's own path, or a place named by the content. */
export function objectKey(
  tree: TreeName,
  file: Pick<ManifestFile, 'path' | 'sha256'>,
  role = roleOf(tree, file.path),
): string {
  return role?.role === 'blob' ? `${tree}/${file.path}` : `${DATA_PREFIX}${file.sha256}`;
}

/** Whether a file of a tree is stored under the key it has in the cache, so that its key is known before its content. */
export function isBlob(tree: TreeName, path: string): boolean {
  return roleOf(tree, path)?.role === 'blob';
}

/** Whether `objectKey` can have given a key: other programs may keep other things under the same prefix. */
export function isObjectKey(key: string): boolean {
  const at = key.lastIndexOf('/blobs/');
  return key.startsWith(DATA_PREFIX) || (at > 0 && isBlob(key.slice(0, at), key.slice(at + 1)));
}

/** The first key of a layout that is not this one. */
export function otherLayout(keys: Iterable<string>): string | undefined {
  for (const key of keys) if (VERSIONED.test(key) && !key.startsWith(LAYOUT_PREFIX)) return key;
  return undefined;
}

/** Whether anything of this layout is there. */
export function hasLayout(keys: Iterable<string>): boolean {
  for (const key of keys) if (key.startsWith(LAYOUT_PREFIX)) return true;
  return false;
}

/** The folders below the prefix that are stores of their own: who names what is above them most likely means one of them. */
export function storesBelow(keys: Iterable<string>): readonly string[] {
  return Array.from(keys).flatMap((key) =>
    key.endsWith(`/${FORMAT_KEY}`) ? [key.slice(0, -FORMAT_KEY.length - 1)] : [],
  );
}

/** Every object of the bucket: key → bytes. */
export type Listing = ReadonlyMap<string, number>;

/** Whether an object is there with its size, and will stay: one that `prune` has doomed counts as absent. */
export function isHeld(listing: Listing, key: string, size: number): boolean {
  return isThere(listing, key) && listing.get(key) === size;
}

/** Whether there is such an object at all, of whatever size. */
export function isThere(listing: Listing, key: string): boolean {
  return listing.has(key) && !listing.has(doomedKey(key));
}

/** Whether nothing is known of an object, neither that it is there nor that it is about to go. */
export function isLacking(listing: Listing, key: string): boolean {
  return !listing.has(key) && !listing.has(doomedKey(key));
}

/** The mark by which `prune` says that an object is about to go. */
export function doomedKey(key: string): string {
  return `${DOOMED_PREFIX}${key}`;
}

export function manifestKey(tree: TreeName, name: string): string {
  return `${MANIFESTS_PREFIX}${encodeURIComponent(tree)}/${name}.json`;
}

/** A key below `manifests/` taken apart; undefined when it is none of ours. */
export function parseManifestKey(
  key: string,
): { readonly tree: TreeName; readonly name: string } | undefined {
  const match = /^([^/]+)\/([^/]+)\.json$/.exec(key.slice(MANIFESTS_PREFIX.length));
  if (!key.startsWith(MANIFESTS_PREFIX) || match === null) return undefined;
  const [, encodedTree = '', name = ''] = match;
  const tree = decodeTree(encodedTree);
  return tree !== undefined && isSha256(name) ? { tree, name } : undefined;
}

/** Throws `format-unknown` when format.json names a format or version that this program does not know. */
export function checkFormat(bytes: Buffer): void {
  const found = bytes.toString('utf8');
  try {
    const { format, version } = JSON.parse(found) as { format?: unknown; version?: unknown };
    if (format === 'model-cache' && version === 1) return;
  } catch {
    // No JSON is no format we know.
  }
  throw new ModelCacheError('format-unknown', `${FORMAT_KEY} names a format this program does not know`, {
    wanted: '{"format":"model-cache","version":1}',
    found: found.slice(0, 200).trim(),
    hint: 'use a newer model-cache, or another prefix in --store',
  });
}

function decodeTree(encoded: string): TreeName | undefined {
  try {
    const tree = decodeURIComponent(encoded);
    return encodeURIComponent(tree) === encoded ? tree : undefined;
  } catch {
    return undefined;
  }
}
