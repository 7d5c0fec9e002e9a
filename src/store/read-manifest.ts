import { manifestKey } from '../model/bucket.ts';
import { parseManifest, type NamedManifest } from '../model/manifest.ts';
import type { TreeName } from '../model/tree.ts';
import { threadsHaveBegun } from '../threads/frugal.ts';
import { readSmallObject } from './small-object.ts';
import type { Store } from './store.ts';

export interface ManifestName {
  readonly tree: TreeName;
  readonly name: string;
}

/** One manifest of at most `limit` bytes, proved by its name. Throws `manifest-invalid`, and what the store throws. */
export async function readManifest(
  store: Store,
  { tree, name }: ManifestName,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<NamedManifest> {
  return readSmallObject(store, manifestKey(tree, name), limit, signal, async (bytes) => {
    // To parse it, and to plan with it, is the same work thousands of times.
    await threadsHaveBegun();
    return parseManifest(tree, name, bytes);
  });
}
