import { isBlob, isHeld, isThere, objectKey, type Listing } from './bucket.ts';
import { digestsOfBlobName, firstMismatch, type Digests } from './digest.ts';
import type { Inventory, LocalContent, LocalTree } from './inventory.ts';
import { serializeManifest, type Manifest, type ManifestFile } from './manifest.ts';
import { manifestOf, mergeTree, nextGeneration, pathsByCommit, type TreeView } from './merge.ts';
import { linkTarget, resolveLink } from './paths.ts';

/** A file whose bytes the bucket lacks. What it must turn out to be while it is sent is known by name or by an earlier hash. */
export interface UploadItem extends LocalContent {
  readonly key: string;
  readonly wanted: Digests;
  readonly reason: 'missing' | 'size-differs' | 'corrupt';
  /** The ETag of the object that is wrong, and is there with the right size. */
  readonly replaces?: string;
}

/** A file that is not what its name says: it is not sent, and no manifest will name it. */
export interface CorruptFile extends LocalContent {
  readonly wanted: string;
  readonly found: string;
}

/** What could not be read to the end unchanged is not in it; the next upload takes it. */
export interface UploadPlan {
  readonly send: readonly UploadItem[];
  readonly present: readonly LocalContent[];
  readonly corrupt: readonly CorruptFile[];
}

/**
 * The files to hash before anything can be decided: all but those that the bucket lacks under a key that their name
 * gives; these are hashed as they are sent.
 */
export function filesToProveForUpload(inventory: Inventory, listing: Listing): readonly LocalContent[] {
  return contents(inventory).filter(
    ({ tree, file }) =>
      !isBlob(tree.tree, file.path) || isHeld(listing, `${tree.tree}/${file.path}`, file.size),
  );
}

/** `wrongObjects` are there, with these ETags, and do not hold what they should; `listing` is without them. */
export function planUpload(
  inventory: Inventory,
  listing: Listing,
  wrongObjects: ReadonlyMap<string, string> = new Map(),
): UploadPlan {
  const send: UploadItem[] = [];
  const present: LocalContent[] = [];
  const corrupt: CorruptFile[] = [];
  const keys = new Set<string>();
  for (const content of contents(inventory)) {
    const { tree, file } = content;
    const byName = isBlob(tree.tree, file.path)
      ? digestsOfBlobName(file.path.slice('blobs/'.length))
      : undefined;
    const mismatch = firstMismatch(byName ?? {}, file.digests ?? {});
    const wanted = { ...file.digests, ...byName };
    if (mismatch !== undefined) corrupt.push({ ...content, ...mismatch });
    else if (byName !== undefined || wanted.sha256 !== undefined) {
      const key = objectKey(tree.tree, { path: file.path, sha256: wanted.sha256 ?? '' });
      const isHeldThere = isHeld(listing, key, file.size);
      if (!isHeldThere && !keys.has(key))
        send.push({ ...content, key, wanted, ...whyToSend(key, listing, wrongObjects.get(key)) });
      else if (!isHeldThere || file.digests?.sha256 !== undefined) present.push(content);
      keys.add(key);
    }
  }
  return { send, present, corrupt };
}

function whyToSend(
  key: string,
  listing: Listing,
  replaces: string | undefined,
): Pick<UploadItem, 'reason' | 'replaces'> {
  if (replaces !== undefined) return { reason: 'corrupt', replaces };
  return { reason: isThere(listing, key) ? 'size-differs' : 'missing' };
}

/** What the bucket is known to hold of one local tree, each file proved and seen there with its size. */
export interface LocalView {
  readonly tree: LocalTree;
  readonly files: readonly ManifestFile[];
}

/**
 * The manifest to write for a tree, or undefined when the bucket's manifests say it all already.
 *
 * `agreedRefs` are the refs as this dir last had them from the bucket, or gave them to it: a ref that has not moved
 * since is no news, and must not move the bucket's back.
 */
export function nextManifest(
  view: TreeView | undefined,
  { tree, files }: LocalView,
  agreedRefs: ReadonlyMap<string, string>,
  listing: Listing,
): Manifest | undefined {
  const before = view ?? mergeTree(tree.tree, []);
  const kept = withoutLostObjects(before, listing);
  const generation = nextGeneration(before);
  const news = files.filter((file) => !isLinkedThere(before, file));
  const here = localManifest(tree, news, refsWithNews(tree, before, agreedRefs), generation);
  const merged = mergeTree(tree.tree, [
    { name: '', manifest: manifestOf(kept, before.generation, []) },
    { name: 'here', manifest: here },
  ]);
  const isNews = contentName(merged) !== contentName(before) || before.heads.length > 1;
  return merged.files.size > 0 && isNews ? manifestOf(merged, generation, before.heads) : undefined;
}

function localManifest(
  tree: LocalTree,
  files: readonly ManifestFile[],
  refs: ReadonlyMap<string, string>,
  generation: number,
): Manifest {
  const held = new Set(files.map(({ path }) => path));
  const links = Array.from(tree.links.values()).flatMap(({ path, target, to }) =>
    to !== undefined && held.has(to)
      ? [{ path, target: target.startsWith('/') ? linkTarget(path, to) : target }]
      : [],
  );
  const commits = pathsByCommit([...held, ...links.map(({ path }) => path)]);
  return {
    version: 1,
    tree: tree.tree,
    generation,
    supersedes: [],
    files: [...files],
    links,
    // A ref whose commit has nothing here yet would be a promise.
    refs: Array.from(refs, ([path, content]) => ({ path, content })).filter(({ content }) =>
      commits.has(content),
    ),
    retired: [],
  };
}

/** A volume without links has copies where the bucket has links to the same bytes: that is no news either. */
function isLinkedThere({ links, files }: TreeView, { path, size, sha256 }: ManifestFile): boolean {
  const target = links.get(path);
  const blob = target === undefined ? undefined : files.get(resolveLink(path, target) ?? '');
  return blob?.sha256 === sha256 && blob.size === size;
}

function refsWithNews(
  tree: LocalTree,
  before: TreeView,
  agreed: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map(
    [...tree.refs].filter(([path, content]) => !before.refs.has(path) || agreed.get(path) !== content),
  );
}

/** Objects that somebody has deleted from the bucket must not be promised again. */
function withoutLostObjects(view: TreeView, listing: Listing): TreeView {
  const files = new Map(
    [...view.files].filter(([, file]) => isHeld(listing, objectKey(view.tree, file), file.size)),
  );
  const isLost = (path: string | undefined): boolean =>
    path !== undefined && view.files.has(path) && !files.has(path);
  const links = new Map([...view.links].filter(([path, target]) => !isLost(resolveLink(path, target))));
  return { ...view, files, links };
}

/**
 * Equal for views that say the same, whatever manifests they come from. Digests of parts are no news by themselves: they
 * only help to find what the digest of the whole tells anyway.
 */
function contentName(view: TreeView): string {
  const { files, ...manifest } = manifestOf(view, 1, []);
  return serializeManifest({ ...manifest, files: files.map(withoutParts) }).name;
}

function withoutParts(file: ManifestFile): ManifestFile {
  return { ...file, parts: undefined };
}

function contents(inventory: Inventory): readonly LocalContent[] {
  return inventory.trees.flatMap((tree) => Array.from(tree.files.values(), (file) => ({ tree, file })));
}
