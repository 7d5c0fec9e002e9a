import { getHeapStatistics } from 'node:v8';
import { ModelCacheError } from '../errors.ts';
import type { Store, StoredObject } from './store.ts';

/**
 * What a listing may have: three times the largest hubs that people mirror, in pages that are at least a tenth full. A
 * store could go on for ever, each time with a new token.
 */
export const LISTING_LIMITS: ListingLimits = { objects: 1_000_000, pages: 10_000 };

export interface ListingLimits {
  readonly objects: number;
  readonly pages: number;
}

/** What one entry takes in memory beside its strings, and the part of the heap that all may take. */
const ENTRY_BYTES = 200;
const SHARE_OF_HEAP = 8;

/** A listing in memory. `store-failed` when it does not fit, or has no end. */
export async function wholeListing(
  store: Store,
  prefix: string,
  signal?: AbortSignal,
  limits = LISTING_LIMITS,
): Promise<readonly StoredObject[]> {
  const most = getHeapStatistics().heap_size_limit / SHARE_OF_HEAP;
  const objects: StoredObject[] = [];
  let size = 0;
  for await (const object of store.list(prefix, signal)) {
    size += ENTRY_BYTES + 2 * (object.key.length + object.etag.length);
    if (size > most || objects.length >= limits.objects) throw tooManyObjects(store.url);
    objects.push(object);
  }
  return objects;
}

export function tooManyObjects(url: string): ModelCacheError {
  return new ModelCacheError('store-failed', `the listing of ${url} is longer than a bucket of models is`, {
    hint: 'name a longer prefix in --store, or give the program more memory',
  });
}
