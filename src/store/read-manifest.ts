import { manifestKey } from '../model/bucket.ts';
import { parseManifest, type NamedManifest } from '../model/manifest.ts';
import type { TreeName } from '../model/tree.ts';
import { threadsHaveBegun } from '../threads/frugal.ts';
import { readSmall, type Store } from './store.ts';

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
  const body = await store.get(manifestKey(tree, name), { signal });
  const bytes = await readSmall(body, limit);
  // To parse it, and to plan with it, is the same work thousands of times.
  await threadsHaveBegun();
  return parseManifest(tree, name, bytes);
}
