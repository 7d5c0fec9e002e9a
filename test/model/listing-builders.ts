import assert from 'node:assert/strict';
import type { Catalog, CatalogTree } from '../../src/model/catalog.ts';
import {
  catalogOfListing,
  surveyListing,
  type ListedObject,
  type Placement,
} from '../../src/model/listing.ts';
import { A, gitSha1, inSnapshot, sha256 } from './builders.ts';

export const WEIGHTS = `blobs/${sha256('weights')}`;
export const CONFIG = `blobs/${gitSha1('config')}`;
export const NOTHING_READ: Placement = new Map();

/** As S3 lists what `aws s3 sync` wrote: the same bytes have the same ETag. */
export function object(key: string, content: string, etag = `"${gitSha1(content)}"`): ListedObject {
  return { key, size: Buffer.byteLength(content), etag };
}

export function synced(root: string): ListedObject[] {
  return [
    object(`${root}/${CONFIG}`, 'config'),
    object(`${root}/${WEIGHTS}`, 'weights'),
    object(`${root}/refs/main`, A),
    object(`${root}/${inSnapshot(A, 'config.json')}`, 'config'),
    object(`${root}/${inSnapshot(A, 'sub/w.bin')}`, 'weights'),
  ];
}

export function read(
  objects: readonly ListedObject[],
  { also = [], acceptUnverified = false }: { also?: readonly string[]; acceptUnverified?: boolean } = {},
): Catalog {
  const survey = surveyListing(objects, also);
  const refs = new Map(objects.filter(({ key }) => key.includes('/refs/')).map(({ key }) => [key, A]));
  return catalogOfListing(survey, NOTHING_READ, refs, acceptUnverified);
}

export function only({ trees }: Catalog): CatalogTree {
  assert.equal(trees.length, 1);
  return trees[0]!;
}
