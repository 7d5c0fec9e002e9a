import type { Listing } from './bucket.ts';

/** Entries on a page of a listing. */
const PAGE = 1000;
/** A page takes a store as long as so many questions for one object. */
const PAGE_IS_WORTH = 8;

/**
 * Where to list, to see that objects are in the bucket: the folders of which that takes less than to ask for each key.
 * `before` is what the bucket held before `keys` were sent.
 */
export function foldersToList(keys: readonly string[], before: Listing): readonly string[] {
  const sent = countByFolder(keys);
  const there = countByFolder(before.keys());
  return [...sent]
    .filter(([folder, count]) => {
      const pages = Math.ceil(((there.get(folder) ?? 0) + count) / PAGE);
      return count > PAGE_IS_WORTH * pages;
    })
    .map(([folder]) => folder);
}

function countByFolder(keys: Iterable<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(folderOf(key), (counts.get(folderOf(key)) ?? 0) + 1);
  return counts;
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}
