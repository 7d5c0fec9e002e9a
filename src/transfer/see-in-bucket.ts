import { ModelCacheError } from '../errors.ts';
import { mapLimited } from '../map-limited.ts';
import type { Listing } from '../model/bucket.ts';
import { foldersToList } from '../model/seeing.ts';
import type { UploadItem } from '../model/upload-plan.ts';
import type { Store } from '../store/store.ts';
import type { Progress } from './progress.ts';

interface SeeingTools {
  readonly store: Store;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

interface SeeingTogetherTools extends SeeingTools {
  readonly listing: Listing;
  readonly onFailure: (failure: { readonly item: UploadItem; readonly error: ModelCacheError }) => void;
}

const QUESTIONS_AT_ONCE = 16;

/** Throws `object-size-differs` for what is not in the bucket as it was sent. */
export async function seeInBucket(
  { key, file }: UploadItem,
  { store, progress, signal }: SeeingTools,
): Promise<void> {
  const seen = await progress.whileWaiting(() => store.head(key, signal));
  if (seen?.size === file.size) return;
  throw new ModelCacheError(
    'object-size-differs',
    `${key} was sent, and is not in the bucket as it was sent`,
    {
      wanted: `${file.size} bytes`,
      found: seen === undefined ? 'no object' : `${seen.size} bytes`,
      hint: 'run the upload again',
    },
  );
}

/** Looks for many objects, by listings where these take fewer requests. Returns whether one is there as it was sent. */
export async function seeTogether(
  items: readonly UploadItem[],
  { onFailure, listing, ...tools }: SeeingTogetherTools,
): Promise<(item: UploadItem) => boolean> {
  const sizes = new Map(items.map(({ key, file }) => [key, file.size]));
  const seen = new Set<string>();
  for (const folder of foldersToList([...sizes.keys()], listing)) {
    for (const key of await sizedIn(folder, sizes, tools)) seen.add(key);
  }
  // A listing may be behind.
  const unseen = items.filter(({ key }) => !seen.has(key));
  await mapLimited(QUESTIONS_AT_ONCE, unseen, async (item) => {
    try {
      await seeInBucket(item, tools);
      seen.add(item.key);
    } catch (error) {
      if (!(error instanceof ModelCacheError) || !error.code.startsWith('object-')) throw error;
      onFailure({ item, error });
    }
  });
  return ({ key }) => seen.has(key);
}

/** The keys in a folder that are there with the size that is wanted. */
async function sizedIn(
  folder: string,
  wanted: ReadonlyMap<string, number>,
  { store, progress, signal }: SeeingTools,
): Promise<readonly string[]> {
  const found: string[] = [];
  await progress.whileWaiting(async () => {
    for await (const { key, size } of store.list(folder, signal, () => progress.sign())) {
      if (wanted.get(key) === size) found.push(key);
    }
  });
  return found;
}
