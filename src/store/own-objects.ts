import { ModelCacheError } from '../errors.ts';
import { hasLayout, LAYOUT_PREFIX, otherLayout, storesBelow } from '../model/bucket.ts';
import { surveyListing, type ListedObject } from '../model/listing.ts';
import type { TreeName } from '../model/tree.ts';
import type { Store } from './store.ts';

/**
 * Of what is listed, what is not of another store below this one. Throws `format-unknown` where the layout is of another
 * version, and where there is nothing but a store below: whoever says `s3://bucket` for `s3://bucket/models` would be
 * given blobs without names, and fill the wrong place. `also` are the trees named by --also.
 */
export function ownObjects(
  { url }: Store,
  objects: readonly ListedObject[],
  also: readonly TreeName[],
): readonly ListedObject[] {
  const keys = objects.map(({ key }) => key);
  if (hasLayout(keys)) return objects;
  const other = otherLayout(keys);
  if (other !== undefined) {
    throw new ModelCacheError('format-unknown', `${url} is in a format this program does not know`, {
      wanted: LAYOUT_PREFIX,
      found: other,
      hint: 'use a newer model-cache, or another prefix in --store',
    });
  }
  const below = storesBelow(keys);
  const own = objects.filter(({ key }) => !below.some((folder) => key.startsWith(`${folder}/`)));
  if (below.length > 0 && surveyListing(own, also).trees.size === 0) {
    throw new ModelCacheError('format-unknown', `${url} is no store itself, but has one below it`, {
      wanted: LAYOUT_PREFIX,
      found: below.map((folder) => `${folder}/${LAYOUT_PREFIX}`).join(', '),
      hint: `use --store ${url}/${below[0]}, or another prefix`,
    });
  }
  return own;
}
