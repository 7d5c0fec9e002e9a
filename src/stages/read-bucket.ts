import { MANIFESTS_PREFIX, type Listing } from '../model/bucket.ts';
import type { TreeView } from '../model/merge.ts';
import { ownObjects } from '../store/own-objects.ts';
import { readManifests, refuseUnknownFormat } from '../store/read-manifests.ts';
import type { Store } from '../store/store.ts';
import { wholeListing } from '../store/whole-listing.ts';
import type { Context } from './context.ts';
import { tellRefused } from './tell-problem.ts';

/** Everything that an upload must know of a bucket. */
export interface BucketContents {
  readonly listing: Listing;
  /** Key → ETag. */
  readonly etags: ReadonlyMap<string, string>;
  readonly views: readonly TreeView[];
}

/** One listing of everything, and the manifests in it. */
export async function readBucket(
  context: Context,
  store: Store,
  signal: AbortSignal,
): Promise<BucketContents> {
  const [objects] = await Promise.all([wholeListing(store, '', signal), refuseUnknownFormat(store, signal)]);
  ownObjects(
    store,
    objects,
    context.settings.also.map(({ tree }) => tree),
  );
  const manifests = objects.filter(({ key }) => key.startsWith(MANIFESTS_PREFIX));
  const { views, refused } = await readManifests(store, manifests, signal);
  tellRefused(context, refused);
  return {
    listing: new Map(objects.map(({ key, size }) => [key, size])),
    etags: new Map(objects.map(({ key, etag }) => [key, etag])),
    views,
  };
}
