import { ModelCacheError } from '../errors.ts';
import { MANIFESTS_PREFIX } from '../model/bucket.ts';
import { readManifests, refuseUnknownFormat, type ManifestReading } from './read-manifests.ts';
import type { Store } from './store.ts';
import { wholeListing } from './whole-listing.ts';

/** What the manifests of a store say, tree by tree. Throws `bucket-empty` or `manifests-missing` where there are none. */
export async function readHeads(store: Store, signal?: AbortSignal): Promise<ManifestReading> {
  const [objects] = await Promise.all([
    wholeListing(store, MANIFESTS_PREFIX, signal),
    refuseUnknownFormat(store, signal),
  ]);
  if (objects.length === 0) throw await whyNone(store, signal);
  return readManifests(store, objects, signal);
}

async function whyNone(store: Store, signal: AbortSignal | undefined): Promise<ModelCacheError> {
  for await (const { key } of store.list('', signal)) {
    return new ModelCacheError(
      'manifests-missing',
      `${store.url} has no manifests, only files such as ${key}`,
      {
        hint: 'run `model-cache upload` where the whole cache is: it sends nothing again, and writes them',
      },
    );
  }
  return new ModelCacheError('bucket-empty', `there is nothing in ${store.url} yet`, {
    hint: 'run `model-cache upload`, or let a pod fill it',
  });
}
