import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { explain, ModelCacheError } from '../../src/errors.ts';
import { manifestKey } from '../../src/model/bucket.ts';
import type { LockedManifest } from '../../src/model/lock-file.ts';
import { serializeManifest, type NamedManifest } from '../../src/model/manifest.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import { readCatalog } from '../../src/store/read-catalog.ts';
import { readLocked } from '../../src/store/read-locked.ts';
import type { Store } from '../../src/store/store.ts';
import { A, B, manifest, REPO } from '../model/builders.ts';

const scratch = await mkdtemp(join(tmpdir(), 'read-locked-'));
after(() => rm(scratch, { recursive: true }));

const OTHER = 'hub/models--org--other';
const FIRST = manifest({ snapshots: { [A]: { 'w.bin': 'weights' } }, refs: { main: A } });
const BESIDE = manifest({ snapshots: { [A]: { 'c.json': 'config' } }, refs: { main: A } });
const LATER = manifest({
  snapshots: { [A]: { 'w.bin': 'weights' }, [B]: { 'w.bin': 'evil', 'c.json': 'config' } },
  refs: { main: B },
  retired: [A],
  generation: 99,
  supersedes: [FIRST, BESIDE],
});
const ELSEWHERE = manifest({ tree: OTHER, snapshots: { [B]: { 'w.bin': 'other' } }, refs: { main: B } });
const LOCK: readonly LockedManifest[] = [locked(FIRST), locked(BESIDE), locked(ELSEWHERE)];

test('what is locked is read as a listing would have had it, and nothing is listed', async () => {
  const store = await storeWith(FIRST, BESIDE, ELSEWHERE);
  const { catalog, refused } = await readLocked(onlyGet(store), LOCK);
  const listed = await readCatalog(store, { also: [], acceptUnverified: false });
  assert.equal(catalog.source, 'lock');
  assert.deepEqual(refused, []);
  assert.deepEqual(byName(catalog.trees), byName(listed.catalog.trees));
});

test('a manifest that supersedes what is locked, and trees that are not, are as if they were not there', async () => {
  const store = await storeWith(FIRST, BESIDE, LATER, ELSEWHERE);
  const { catalog } = await readLocked(store, [locked(FIRST), locked(BESIDE)]);
  assert.deepEqual(
    catalog.trees.map(({ tree, refs }) => [tree, refs]),
    [[REPO, [{ path: 'refs/main', content: A }]]],
  );
});

for (const [name, damage, code] of [
  ['missing', undefined, 'object-missing'],
  ['altered', '{"version":1}', 'manifest-invalid'],
  ['another one', serializeManifest(LATER.manifest).bytes, 'manifest-invalid'],
  ['endless', Buffer.alloc(17 * 1024 * 1024), 'object-size-differs'],
] as const) {
  test(`a manifest that is ${name} withholds its whole tree, and no other`, async () => {
    const store = await storeWith(FIRST, BESIDE, ELSEWHERE);
    const key = manifestKey(REPO, BESIDE.name);
    if (damage === undefined) await rm(join(store.root, key));
    else await store.put(key, Buffer.from(damage));
    const { catalog, refused } = await readLocked(store, LOCK);
    assert.deepEqual(catalog.withheld, [REPO]);
    assert.deepEqual(
      catalog.trees.map(({ tree }) => tree),
      [OTHER],
    );
    assert.equal(refused.length, 1);
    assert.equal(refused[0]?.code, code);
    assert.match(
      explain(refused[0]),
      /models--org--model: its locked manifest cannot be had: .*; put back into/,
    );
  });
}

test('a manifest under the name of another tree is no manifest of that tree', async () => {
  const store = await storeWith(FIRST);
  await store.put(manifestKey(OTHER, FIRST.name), serializeManifest(FIRST.manifest).bytes);
  const { catalog, refused } = await readLocked(store, [{ tree: OTHER, name: FIRST.name }]);
  assert.deepEqual([catalog.trees, catalog.withheld], [[], [OTHER]]);
  assert.match(explain(refused[0]), /speaks of another tree/);
});

test('403 for one of several: that one is missing, or may not be read, and the others count', async () => {
  const store = denying(await storeWith(FIRST, BESIDE, ELSEWHERE), manifestKey(REPO, FIRST.name));
  const { catalog, refused } = await readLocked(store, LOCK);
  assert.deepEqual(catalog.withheld, [REPO]);
  assert.equal(refused[0]?.code, 'object-missing');
  assert.match(explain(refused[0]), /answered AccessDenied: it is not there, or this key may not read it/);
});

test('403 for all is the key', async () => {
  const store = denying(await storeWith(FIRST, BESIDE, ELSEWHERE), '');
  await assert.rejects(readLocked(store, LOCK), (error: unknown) => {
    assert.equal((error as ModelCacheError).code, 'store-denied');
    assert.match(explain(error), /none of the locked manifests.*s3:GetObject.*s3:ListBucket/);
    return true;
  });
});

test('a store that fails is its own error, not a withheld tree', async () => {
  const store = await storeWith(FIRST);
  const dead = answering(store, '', 'store-unreachable');
  await assert.rejects(readLocked(dead, LOCK), { code: 'store-unreachable' });
});

function locked({ name, manifest: { tree } }: NamedManifest): LockedManifest {
  return { tree, name };
}

async function storeWith(...manifests: readonly NamedManifest[]): Promise<FolderStore & { root: string }> {
  const root = await mkdtemp(join(scratch, 'store-'));
  const store = new FolderStore(root);
  for (const { manifest } of manifests) {
    const { name, bytes } = serializeManifest(manifest);
    await store.put(manifestKey(manifest.tree, name), bytes);
  }
  return Object.assign(store, { root });
}

function onlyGet(store: Store): Store {
  return { get: store.get.bind(store) } as Store;
}

function denying(store: Store, part: string): Store {
  return answering(store, part, 'store-denied');
}

/** `code` for every key that contains `part`. */
function answering(store: Store, part: string, code: 'store-denied' | 'store-unreachable'): Store {
  const get: Store['get'] = async (key, options) => {
    if (key.includes(part)) throw new ModelCacheError(code, 'answered AccessDenied');
    return store.get(key, options);
  };
  return { get } as Store;
}

function byName<T extends { readonly tree: string }>(trees: readonly T[]): readonly T[] {
  return trees.toSorted((a, b) => (a.tree < b.tree ? -1 : 1));
}
