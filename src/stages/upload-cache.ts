import { join } from 'node:path';
import { realpathSync } from 'node:fs';
import { algorithmsFor, proveFiles } from '../cache/prove.ts';
import { scanCache } from '../cache/scan.ts';
import type { State } from '../cache/state.ts';
import { pathsOpenForWriting } from '../cache/writers.ts';
import { explain, ModelCacheError } from '../errors.ts';
import {
  FORMAT_BYTES,
  FORMAT_KEY,
  isBlob,
  manifestKey,
  MANIFESTS_PREFIX,
  objectKey,
  type Listing,
} from '../model/bucket.ts';
import type { Digests } from '../model/digest.ts';
import type { Inventory, LocalContent, LocalTree } from '../model/inventory.ts';
import { serializeManifest, type ManifestFile } from '../model/manifest.ts';
import type { TreeView } from '../model/merge.ts';
import { filesToProveForUpload, nextManifest, planUpload, type UploadPlan } from '../model/upload-plan.ts';
import { readManifests, refuseUnknownFormat } from '../store/read-manifests.ts';
import type { Store } from '../store/store.ts';
import type { Progress } from '../transfer/progress.ts';
import { sendFiles, type SentFile } from '../transfer/upload.ts';
import type { Context } from './context.ts';

export interface BucketContents {
  readonly listing: Listing;
  readonly views: readonly TreeView[];
}

export interface FileFailure {
  readonly tree: string;
  readonly path: string;
  readonly error: ModelCacheError;
}

/** One listing of everything, and the manifests in it. */
export async function readBucket(
  { log, reporter }: Context,
  store: Store,
  signal: AbortSignal,
): Promise<BucketContents> {
  const [objects] = await Promise.all([
    Array.fromAsync(store.list('', signal)),
    refuseUnknownFormat(store, signal),
  ]);
  const keys = objects.map(({ key }) => key).filter((key) => key.startsWith(MANIFESTS_PREFIX));
  const { views, refused } = await readManifests(store, keys, signal);
  for (const error of refused) {
    log.warn('manifest.refused', `left out: ${explain(error)}`);
    reporter.problem(error);
  }
  return { listing: new Map(objects.map(({ key, size }) => [key, size])), views };
}

/** What the dir holds, hashed as far as it must be before anything is sent, and what is to be done with it. */
export async function planUploadOf(
  { settings }: Context,
  dir: string,
  state: State,
  reuse: readonly string[],
  { listing }: BucketContents,
  signal: AbortSignal,
): Promise<{
  readonly plan: UploadPlan;
  readonly inventory: Inventory;
  readonly unfinished: readonly FileFailure[];
}> {
  const found = await scanCache(dir, { also: settings.also.map(({ tree }) => tree), state, reuse });
  const { finished, unfinished } = setAsideUnfinished(found);
  const { inventory, unprovable } = await proveFiles(
    finished,
    filesToProveForUpload(finished, listing),
    state,
    signal,
  );
  return {
    plan: planUpload(inventory, listing),
    inventory,
    unfinished: [
      ...unfinished,
      ...unprovable.map(({ tree, file, error }) => ({ tree: tree.tree, path: file.path, error })),
    ],
  };
}

/**
 * Sends what the bucket lacks, then says so: bytes first, manifests last, each only of what was proved here and seen
 * there. Returns the names of the manifests that were written.
 */
export async function executeUpload(
  dir: string,
  { plan, inventory }: { readonly plan: UploadPlan; readonly inventory: Inventory },
  { listing, views }: BucketContents,
  tools: {
    readonly store: Store;
    readonly state: State;
    readonly progress: Progress;
    readonly signal: AbortSignal;
    readonly onFailure: (failure: FileFailure) => void;
  },
): Promise<{ readonly sent: readonly SentFile[]; readonly manifests: readonly string[] }> {
  const { store, state, signal, onFailure } = tools;
  if (plan.send.length > 0 && !listing.has(FORMAT_KEY)) await store.put(FORMAT_KEY, FORMAT_BYTES, signal);
  const sent = await sendFiles(plan.send, {
    ...tools,
    dir,
    onFailure: ({ item, error }) => onFailure({ tree: item.tree.tree, path: item.file.path, error }),
  });
  const seen = new Map([...listing, ...sent.map(({ item }) => [item.key, item.file.size] as const)]);
  const known = [
    ...sent.map(({ item, digests }) => ({
      content: item as LocalContent,
      digests: { ...item.file.digests, ...digests },
    })),
    ...plan.present.map((content) => ({ content, digests: content.file.digests ?? {} })),
  ];
  const manifests: string[] = [];
  for (const tree of inventory.trees) {
    const files = known
      .filter(({ content }) => content.tree.tree === tree.tree)
      .flatMap(({ content, digests }) => manifestFile(tree, content, digests, seen));
    const view = views.find((candidate) => candidate.tree === tree.tree);
    const manifest = nextManifest(view, { tree, files }, state.agreedRefs(tree.tree), seen);
    if (manifest !== undefined) {
      const { name, bytes } = serializeManifest(manifest);
      if (!seen.has(FORMAT_KEY)) await store.put(FORMAT_KEY, FORMAT_BYTES, signal);
      await store.put(manifestKey(tree.tree, name), bytes, signal);
      manifests.push(manifestKey(tree.tree, name));
    }
    // A ref that could not move in the bucket is still news the next time.
    const agreed = manifest?.refs ?? Array.from(view?.refs ?? [], ([path, content]) => ({ path, content }));
    for (const { path, content } of agreed) state.agreeOnRef(tree.tree, path, content);
  }
  return { sent, manifests };
}

/** Only what is fully known, and is in the bucket with its size, may be named by a manifest. */
function manifestFile(
  tree: LocalTree,
  { file }: LocalContent,
  digests: Digests,
  seen: Listing,
): readonly ManifestFile[] {
  const { sha256, gitSha1 } = digests;
  if (sha256 === undefined) return [];
  const needsGitSha1 = algorithmsFor(tree.tree, file.path).includes('git-sha1');
  if (needsGitSha1 && gitSha1 === undefined) return [];
  const entry: ManifestFile = {
    path: file.path,
    size: file.size,
    sha256,
    ...(needsGitSha1 && gitSha1 !== undefined ? { gitSha1 } : {}),
    ...(file.executable ? { executable: true } : {}),
  };
  return seen.get(objectKey(tree.tree, entry)) === file.size ? [entry] : [];
}

/** A plain file that somebody has open for writing is not finished. A blob's name proves that it is. */
function setAsideUnfinished(inventory: Inventory): {
  readonly finished: Inventory;
  readonly unfinished: readonly FileFailure[];
} {
  const isPlain = (tree: LocalTree, path: string): boolean => !isBlob(tree.tree, path);
  if (!inventory.trees.some((tree) => [...tree.files.keys()].some((path) => isPlain(tree, path))))
    return { finished: inventory, unfinished: [] };
  const written = pathsOpenForWriting();
  const root = realpathSync(inventory.dir);
  const unfinished: FileFailure[] = [];
  const trees = inventory.trees.map((tree) => {
    const files = [...tree.files].filter(([path]) => {
      const isUnfinished = isPlain(tree, path) && written.has(join(root, tree.root, path));
      if (isUnfinished)
        unfinished.push({ tree: tree.tree, path, error: stillWritten(`${tree.root}/${path}`) });
      return !isUnfinished;
    });
    return { ...tree, files: new Map(files) };
  });
  return { finished: { ...inventory, trees }, unfinished };
}

function stillWritten(path: string): ModelCacheError {
  return new ModelCacheError('file-changed', `${path} is still being written`, {
    hint: 'the next upload takes it',
  });
}
