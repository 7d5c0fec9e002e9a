import pLimit from 'p-limit';
import { toModelCacheError, type ModelCacheError } from '../errors.ts';
import { checkFormat, FORMAT_KEY, parseManifestKey } from '../model/bucket.ts';
import { MANIFEST_LIMITS, parseManifest, type NamedManifest } from '../model/manifest.ts';
import { mergeTree, type TreeView } from '../model/merge.ts';
import type { TreeName } from '../model/tree.ts';
import { readSmall, type Store } from './store.ts';

export interface ManifestReading {
  readonly views: readonly TreeView[];
  /** Manifests that could not be used, each with its reason; the others count all the same. */
  readonly refused: readonly ModelCacheError[];
}

const AT_ONCE = 8;

/** Reads the manifests among `keys` and merges them tree by tree. Throws only for the store itself. */
export async function readManifests(
  store: Store,
  keys: readonly string[],
  signal?: AbortSignal,
): Promise<ManifestReading> {
  const limit = pLimit(AT_ONCE);
  const refused: ModelCacheError[] = [];
  const named = new Map<TreeName, NamedManifest[]>();
  await Promise.all(
    keys.map((key) =>
      limit(async () => {
        const place = parseManifestKey(key);
        if (place === undefined) return;
        try {
          const body = await store.get(key, { signal });
          const manifest = parseManifest(
            place.tree,
            place.name,
            await readSmall(body, MANIFEST_LIMITS.bytes),
          );
          named.set(place.tree, [...(named.get(place.tree) ?? []), manifest]);
        } catch (error) {
          const reason = toModelCacheError(error);
          if (reason.code.startsWith('store-') || signal?.aborted === true) throw error;
          refused.push(reason);
        }
      }),
    ),
  );
  return { views: Array.from(named, ([tree, manifests]) => mergeTree(tree, manifests)), refused };
}

/** Throws `format-unknown` when the bucket is in a format of another program or version. */
export async function refuseUnknownFormat(store: Store, signal?: AbortSignal): Promise<void> {
  const bytes = await readIfThere(store, FORMAT_KEY, 4096, signal);
  if (bytes !== undefined) checkFormat(bytes);
}

/** The whole of a small object, or undefined when there is none. */
export async function readIfThere(
  store: Store,
  key: string,
  limit: number,
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    return await readSmall(await store.get(key, { signal }), limit);
  } catch (error) {
    if (toModelCacheError(error).code === 'object-missing') return undefined;
    throw error;
  }
}
