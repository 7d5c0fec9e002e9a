import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { doomedKey, manifestKey, MANIFESTS_PREFIX, objectKey, type Listing } from '../../src/model/bucket.ts';
import { serializeManifest, type NamedManifest } from '../../src/model/manifest.ts';
import { bucketNow, type BucketNow } from '../../src/stages/bucket-now.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import { readManifests } from '../../src/store/read-manifests.ts';
import { wholeListing } from '../../src/store/whole-listing.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { A, manifest, REPO } from '../model/builders.ts';

const scratch = await mkdtemp(join(tmpdir(), 'bucket-now-'));
after(() => rm(scratch, { recursive: true }));
const TREES = new Set([REPO]);
const OLD = manifest({ snapshots: { [A]: { 'w.bin': 'w' } }, refs: { main: A } });
const NEXT = manifest({ snapshots: { [A]: { 'w.bin': 'w', b: 'b' } }, generation: 2, supersedes: [OLD] });

test('what a manifest names and came while the bucket was listed is there', async () => {
  const store = await storeWith(NEXT);
  const listed = await read(store);
  const late = keysOf(NEXT).find((key) => !keysOf(OLD).includes(key)) ?? '';
  const behind = { ...listed, seen: without(listed.seen, late) };
  const now = await bucketNow(behind, TREES, false, toolsOf(store));
  assert.deepEqual(now.seen, listed.seen);
});

test('what is not there is not, and neither is what is about to go', async () => {
  const store = await storeWith(NEXT);
  const listed = await read(store);
  const [gone = '', doomed = ''] = keysOf(NEXT);
  await rm(join(new URL(store.url).pathname, gone));
  const seen = new Map(without(without(listed.seen, gone), doomed)).set(doomedKey(doomed), 0);
  const now = await bucketNow({ ...listed, seen }, TREES, false, toolsOf(store));
  assert.ok(!now.seen.has(gone) && !now.seen.has(doomed));
});

test('of other trees nothing is asked', async () => {
  const store = await storeWith(NEXT);
  const listed = await read(store);
  const seen = new Map([...listed.seen].filter(([key]) => key.startsWith(MANIFESTS_PREFIX)));
  const now = await bucketNow({ ...listed, seen }, new Set(['torch/hub/checkpoints']), false, toolsOf(store));
  assert.equal(now.seen.size, seen.size);
});

test('what others have said meanwhile is heard, where a while has passed', async () => {
  const store = await storeWith(OLD);
  const before = await read(store);
  await putAll(store, NEXT);
  const [later, atOnce] = [
    await bucketNow(before, TREES, true, toolsOf(store)),
    await bucketNow(before, TREES, false, toolsOf(store)),
  ];
  assert.equal(later.views[0]?.generation, 2);
  assert.ok(keysOf(NEXT).every((key) => later.seen.has(key)));
  assert.equal(atOnce.views[0]?.generation, 1);
});

async function storeWith(first: NamedManifest): Promise<FolderStore> {
  const store = new FolderStore(await mkdtemp(join(scratch, 'store-')));
  await putAll(store, first);
  return store;
}

/** A manifest, and before it objects of the sizes that it names. */
async function putAll(store: FolderStore, put: NamedManifest): Promise<void> {
  for (const file of put.manifest.files) await store.put(objectKey(REPO, file), Buffer.alloc(file.size));
  const { name, bytes } = serializeManifest(put.manifest);
  await store.put(manifestKey(REPO, name), bytes);
}

function keysOf({ manifest: { files } }: NamedManifest): readonly string[] {
  return files.map((file) => objectKey(REPO, file));
}

async function read(store: FolderStore): Promise<BucketNow> {
  const objects = await wholeListing(store, '');
  const { views } = await readManifests(
    store,
    objects.filter(({ key }) => key.startsWith(MANIFESTS_PREFIX)),
  );
  return { views, seen: new Map(objects.map(({ key, size }) => [key, size])) };
}

function without(listing: Listing, key: string): Listing {
  return new Map([...listing].filter(([other]) => other !== key));
}

function toolsOf(store: FolderStore): Parameters<typeof bucketNow>[3] {
  return { store, progress: new Progress(), signal: new AbortController().signal };
}
