import { mapLimited } from '../map-limited.ts';
import { isLacking, MANIFESTS_PREFIX, objectKey, type Listing } from '../model/bucket.ts';
import type { TreeView } from '../model/merge.ts';
import type { TreeName } from '../model/tree.ts';
import { readManifests } from '../store/read-manifests.ts';
import type { Store } from '../store/store.ts';
import { wholeListing } from '../store/whole-listing.ts';
import type { Progress } from '../transfer/progress.ts';

/** What a manifest is about to be written by. */
export interface BucketNow {
  readonly views: readonly TreeView[];
  readonly seen: Listing;
}

interface LookTools {
  readonly store: Store;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

const QUESTIONS_AT_ONCE = 16;

/**
 * What the manifests say now, where a while has passed since they were read (`isLater`): what others have said meanwhile
 * must not be said otherwise by who has not heard of it. And what they name of `trees` and the listing did not show is
 * looked for once more: a listing of many pages is not of one moment, and what came during it is not lost.
 */
export async function bucketNow(
  before: BucketNow,
  trees: ReadonlySet<TreeName>,
  isLater: boolean,
  tools: LookTools,
): Promise<BucketNow> {
  const views = isLater ? await viewsNow(before, tools) : before.views;
  const seen = new Map(before.seen);
  const named = views.filter(({ tree }) => trees.has(tree)).flatMap((view) => namedObjects(view));
  const unseen = new Set(named.filter((key) => isLacking(seen, key)));
  await mapLimited(QUESTIONS_AT_ONCE, unseen, async (key) => {
    const there = await tools.progress.whileWaiting(() => tools.store.head(key, tools.signal));
    if (there !== undefined) seen.set(key, there.size);
  });
  return { views, seen };
}

async function viewsNow({ views, seen }: BucketNow, tools: LookTools): Promise<readonly TreeView[]> {
  const { store, progress, signal } = tools;
  const now = await progress.whileWaiting(() => wholeListing(store, MANIFESTS_PREFIX, signal));
  if (now.every(({ key }) => seen.has(key))) return views;
  return progress.whileWaiting(async () => (await readManifests(store, now, signal)).views);
}

function namedObjects({ tree, files }: TreeView): readonly string[] {
  return Array.from(files.values(), (file) => objectKey(tree, file));
}
