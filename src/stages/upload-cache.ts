import { proveFiles } from '../cache/prove.ts';
import type { State } from '../cache/state.ts';
import { explain, ModelCacheError } from '../errors.ts';
import type { Log } from '../log.ts';
import { doomedKey, FORMAT_BYTES, FORMAT_KEY, type Listing } from '../model/bucket.ts';
import type { Inventory } from '../model/inventory.ts';
import {
  filesToProveForUpload,
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
import { notTaken } from './not-taken.ts';
import { bucketNow } from './bucket-now.ts';
import { scanLocal, type LocalCache } from './local-cache.ts';
import type { BucketContents } from './read-bucket.ts';
import { setAsideMoving, setAsideUnfinished } from './unfinished.ts';
import { writeManifests } from './write-manifests.ts';

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
    ...inventory.skipped.map(notTaken),
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
  const abandonedBefore = abandonAfter > 0 ? Date.now() - abandonAfter : 0;
  if (plan.send.length > 0) await takeBackAbandoned(store, abandonedBefore, log, signal);
  const hasSomethingToSay = plan.send.length + plan.present.length > 0;
  if (hasSomethingToSay && !listing.has(FORMAT_KEY)) await store.put(FORMAT_KEY, FORMAT_BYTES, signal);
  const sent = await sendFiles(plan.send, {
    ...tools,
    dir,
    state,
    listing,
    bytesPerSecond,
    abandonedBefore,
    onUnshared: (why) => log.debug('upload.alone', `uploads are not shared with other pods: ${why}`),
    onFailure: ({ item, error }) => onFailure({ tree: item.tree.tree, path: item.file.path, error }),
  });
  for (const { item } of sent) state.forgetCorrupt(item.key);
  const trees = new Set(inventory.trees.map(({ tree }) => tree));
  const before = { views, seen: withSent(listing, sent) };
  const now = await bucketNow(before, trees, sent.length > 0, tools);
  const known = [
    ...sent.map(({ item, digests, parts }) => ({
      tree: item.tree,
      file: item.file,
      digests: { ...item.file.digests, ...digests },
      parts,
    })),
    ...plan.present.map(({ tree, file }) => ({ tree, file, digests: file.digests ?? {} })),
  ];
  const manifests = await writeManifests({ known, inventory, ...now }, { state, onFailure, ...tools });
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

/** The bucket after sending: what was seen there, and is not doomed any more, having been sent anew. */
function withSent(listing: Listing, sent: readonly SentFile[]): Listing {
  const seen = new Map(listing);
  for (const { item } of sent) {
    seen.set(item.key, item.file.size);
    seen.delete(doomedKey(item.key));
  }
  return seen;
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
