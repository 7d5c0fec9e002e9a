import { algorithmsFor } from '../cache/prove.ts';
import type { State } from '../cache/state.ts';
import { toModelCacheError } from '../errors.ts';
import { isHeld, manifestKey, objectKey, type Listing } from '../model/bucket.ts';
import type { Digests } from '../model/digest.ts';
import type { FileFailure } from '../model/file-failure.ts';
import type { Inventory, LocalContent } from '../model/inventory.ts';
import { serializeManifest, type Manifest, type ManifestFile } from '../model/manifest.ts';
import { toldParts, type PartDigests } from '../model/proof.ts';
import { nextManifest } from '../model/upload-plan.ts';
import type { Store } from '../store/store.ts';
import type { BucketContents } from './read-bucket.ts';

interface KnownContent extends LocalContent {
  readonly digests: Digests;
  /** Where they are known. */
  readonly parts?: PartDigests | undefined;
}

interface KnownContents {
  /** What was proved here, each with its digests. */
  readonly known: readonly KnownContent[];
  readonly inventory: Inventory;
  readonly views: BucketContents['views'];
  /** The bucket as it is now. */
  readonly seen: Listing;
}

interface WritingTools {
  readonly state: State;
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly onFailure: (failure: FileFailure) => void;
}

/**
 * A manifest for each tree that has news, and what disk and bucket agree on from now on. Returns their keys. One that
 * cannot be written, because of what others have said of its tree, does not keep the others from being.
 */
export async function writeManifests(
  { known, inventory, views, seen }: KnownContents,
  { state, store, signal, onFailure }: WritingTools,
): Promise<readonly string[]> {
  const manifests: string[] = [];
  const byTree = Map.groupBy(known, (content) => content.tree.tree);
  for (const tree of inventory.trees) {
    const view = views.find((candidate) => candidate.tree === tree.tree);
    const files = (byTree.get(tree.tree) ?? []).flatMap((content) => manifestFile(content, seen));
    try {
      const manifest = nextManifest(view, { tree, files }, state.agreedRefs(tree.tree), seen);
      if (manifest !== undefined) manifests.push(await writeManifest(manifest, store, signal));
      const refs = manifest?.refs ?? Array.from(view?.refs ?? [], ([path, content]) => ({ path, content }));
      // Where the two still differ, they agree on nothing new: the one has yet to move, or the other has moved on.
      for (const { path, content } of refs) {
        if (tree.refs.get(path) === content) state.agreeOnRef(tree.tree, path, content);
      }
    } catch (error) {
      const reason = toModelCacheError(error);
      if (reason.code !== 'manifest-invalid') throw error;
      onFailure({ tree: tree.tree, path: '', error: reason });
    }
  }
  return manifests;
}

async function writeManifest(manifest: Manifest, store: Store, signal: AbortSignal): Promise<string> {
  const { name, bytes } = serializeManifest(manifest);
  const key = manifestKey(manifest.tree, name);
  await store.put(key, bytes, signal);
  return key;
}

/** Only what is fully known, and is in the bucket with its size, may be named by a manifest. */
function manifestFile(
  { tree, file, digests: { sha256, gitSha1 }, parts }: KnownContent,
  seen: Listing,
): readonly ManifestFile[] {
  if (sha256 === undefined) return [];
  const needsGitSha1 = algorithmsFor(tree.tree, file.path).includes('git-sha1');
  if (needsGitSha1 && gitSha1 === undefined) return [];
  const entry: ManifestFile = {
    path: file.path,
    size: file.size,
    sha256,
    ...(needsGitSha1 && gitSha1 !== undefined ? { gitSha1 } : {}),
    ...(file.executable ? { executable: true } : {}),
    ...(parts === undefined ? {} : { parts: toldParts(parts) }),
  };
  return isHeld(seen, objectKey(tree.tree, entry), file.size) ? [entry] : [];
}
