import { algorithmsFor, proveFiles } from '../cache/prove.ts';
import type { State } from '../cache/state.ts';
import { isCounted } from '../countdown.ts';
import { explain, ModelCacheError } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  doomedKey,
  FORMAT_BYTES,
  FORMAT_KEY,
  isHeld,
  manifestKey,
  objectKey,
  type Listing,
} from '../model/bucket.ts';
import type { Digests } from '../model/digest.ts';
import type { Inventory, LocalContent } from '../model/inventory.ts';
import { serializeManifest, type ManifestFile } from '../model/manifest.ts';
import {
  filesToProveForUpload,
  nextManifest,
  planUpload,
  type CorruptFile,
  type UploadPlan,
} from '../model/upload-plan.ts';
import type { Store } from '../store/store.ts';
import type { Progress } from '../transfer/progress.ts';
import { sendFiles, type SentFile } from '../transfer/upload.ts';
import type { Settings } from '../settings/settings.ts';
import type { Context } from './context.ts';
import type { FileFailure } from '../model/file-failure.ts';
import { scanLocal, type LocalCache } from './local-cache.ts';
import type { BucketContents } from './read-bucket.ts';
import { setAsideMoving, setAsideUnfinished } from './unfinished.ts';

/** What an upload will do, and what it works on. */
export interface PlannedUpload {
  readonly plan: UploadPlan;
  readonly inventory: Inventory;
  /** What is not sent this time, each with its reason. */
  readonly leftOut: readonly FileFailure[];
}

/** What the dir holds, hashed as far as it must be before anything is sent, and what is to be done with it. */
export async function planUploadOf(
  context: Context,
  cache: LocalCache,
  bucket: BucketContents,
  signal: AbortSignal,
): Promise<PlannedUpload> {
  const since = performance.now();
  const { finished, unfinished } = setAsideUnfinished(await scanLocal(context, cache));
  const corrupt = stillCorrupt(cache.state, bucket);
  const sound = new Map([...bucket.listing].filter(([key]) => !corrupt.has(key)));
  const wanted = filesToProveForUpload(finished, sound);
  const { inventory: hashed, unprovable } = await proveFiles(finished, wanted, cache.state, signal);
  const { finished: inventory, unfinished: moving } = await setAsideMoving(finished, hashed, since, signal);
  const plan = planUpload(inventory, sound, corrupt);
  const unreadable = unprovable.map(({ tree, file, error }) => ({ tree: tree.tree, path: file.path, error }));
  const leftOut = [
    ...unfinished,
    ...moving,
    ...unreadable,
    ...plan.corrupt.map(corruptFailure),
    ...inventory.skipped.map(skippedFailure),
  ];
  return { plan, inventory, leftOut };
}

/** Objects that were read wrong, unless somebody has replaced them since: key → ETag. */
function stillCorrupt(state: State, { etags }: BucketContents): ReadonlyMap<string, string> {
  for (const [key, etag] of state.corruptObjects) {
    if (etags.get(key) !== etag) state.forgetCorrupt(key);
  }
  return state.corruptObjects;
}

interface ExecutionTools {
  readonly settings: Settings;
  readonly log: Log;
  readonly store: Store;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly onFailure: (failure: FileFailure) => void;
}

/**
 * Sends what the bucket lacks, then says so: bytes first, manifests last, each only of what was proved here and seen
 * there. Returns the names of the manifests that were written.
 */
export async function executeUpload(
  { dir, state }: LocalCache,
  { plan, inventory }: PlannedUpload,
  { listing, views }: BucketContents,
  { onFailure, settings, log, ...tools }: ExecutionTools,
): Promise<{ readonly sent: readonly SentFile[]; readonly manifests: readonly string[] }> {
  const { store, signal } = tools;
  const { bwlimit: bytesPerSecond, abandonAfter } = settings;
  const abandonedBefore = isCounted(abandonAfter) ? Date.now() - abandonAfter : 0;
  if (plan.send.length > 0) await takeBackAbandoned(store, abandonedBefore, log, signal);
  const hasSomethingToSay = plan.send.length + plan.present.length > 0;
  if (hasSomethingToSay && !listing.has(FORMAT_KEY)) await store.put(FORMAT_KEY, FORMAT_BYTES, signal);
  const sent = await sendFiles(plan.send, {
    ...tools,
    dir,
    state,
    bytesPerSecond,
    abandonedBefore,
    onUnshared: (why) => log.debug('upload.alone', `uploads are not shared with other pods: ${why}`),
    onFailure: ({ item, error }) => onFailure({ tree: item.tree.tree, path: item.file.path, error }),
  });
  for (const { item } of sent) state.forgetCorrupt(item.key);
  const seen = withSent(listing, sent);
  const known = [
    ...sent.map(({ item, digests }) => ({
      tree: item.tree,
      file: item.file,
      digests: { ...item.file.digests, ...digests },
    })),
    ...plan.present.map(({ tree, file }) => ({ tree, file, digests: file.digests ?? {} })),
  ];
  const manifests = await writeManifests({ known, inventory, views, seen }, state, store, signal);
  return { sent, manifests };
}

/** What is not worth an upload of its own is not worth an error either. */
async function takeBackAbandoned(store: Store, before: number, log: Log, signal: AbortSignal): Promise<void> {
  try {
    const count = await store.abandonUploads(before, signal);
    if (count > 0) log.debug('upload.abandoned', `${count} uploads that nobody went on with were taken back`);
  } catch (error) {
    signal.throwIfAborted();
    log.debug('upload.abandoned', `abandoned uploads were not looked for: ${explain(error)}`);
  }
}

interface KnownContents {
  /** What was proved here, each with its digests. */
  readonly known: readonly (LocalContent & { readonly digests: Digests })[];
  readonly inventory: Inventory;
  readonly views: BucketContents['views'];
  /** The bucket as it is now. */
  readonly seen: Listing;
}

/** A manifest for each tree that has news, and what disk and bucket agree on from now on. Returns their keys. */
async function writeManifests(
  { known, inventory, views, seen }: KnownContents,
  state: State,
  store: Store,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const manifests: string[] = [];
  const byTree = Map.groupBy(known, (content) => content.tree.tree);
  for (const tree of inventory.trees) {
    const view = views.find((candidate) => candidate.tree === tree.tree);
    const files = (byTree.get(tree.tree) ?? []).flatMap((content) => manifestFile(content, seen));
    const manifest = nextManifest(view, { tree, files }, state.agreedRefs(tree.tree), seen);
    if (manifest !== undefined) {
      const { name, bytes } = serializeManifest(manifest);
      const key = manifestKey(tree.tree, name);
      await store.put(key, bytes, signal);
      manifests.push(key);
    }
    const refs = manifest?.refs ?? Array.from(view?.refs ?? [], ([path, content]) => ({ path, content }));
    // Where the two still differ, they agree on nothing new: the one has yet to move, or the other has moved on.
    for (const { path, content } of refs) {
      if (tree.refs.get(path) === content) state.agreeOnRef(tree.tree, path, content);
    }
  }
  return manifests;
}

/** The bucket after sending: what was seen there, and is not doomed any more, having been sent anew. */
function withSent(listing: Listing, sent: readonly SentFile[]): Listing {
  const seen = new Map(listing);
  for (const { item } of sent) {
    seen.set(item.key, item.file.size);
    seen.delete(doomedKey(item.key));
  }
  return seen;
}

/** Only what is fully known, and is in the bucket with its size, may be named by a manifest. */
function manifestFile(
  { tree, file, digests: { sha256, gitSha1 } }: LocalContent & { readonly digests: Digests },
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
  };
  return isHeld(seen, objectKey(tree.tree, entry), file.size) ? [entry] : [];
}

function corruptFailure({ tree, file, wanted, found }: CorruptFile): FileFailure {
  const error = new ModelCacheError(
    'file-digest-differs',
    `${tree.root}/${file.path} is not what its name says`,
    {
      wanted,
      found,
      hint: 'delete it and let the server download it again',
    },
  );
  return { tree: tree.tree, path: file.path, error };
}

function skippedFailure({ path, why }: Inventory['skipped'][number]): FileFailure {
  return {
    tree: '',
    path,
    error: new ModelCacheError('path-unsafe', `${JSON.stringify(path)} is not taken: ${why}`),
  };
}
