import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ModelCacheError } from '../../src/errors.ts';
import { FORMAT_BYTES, FORMAT_KEY, manifestKey, objectKey } from '../../src/model/bucket.ts';
import { serializeManifest, type Manifest } from '../../src/model/manifest.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import { readCatalog } from '../../src/store/read-catalog.ts';
import type { Store } from '../../src/store/store.ts';

const scratch = await mkdtemp(join(tmpdir(), 'read-catalog-'));
after(() => rm(scratch, { recursive: true }));

const TREE = 'hub/models--org--name';
const COMMIT = 'c'.repeat(40);
const WEIGHTS = Buffer.from('weights');
const BLOB = `blobs/${sha256(WEIGHTS)}`;
const LINK = `snapshots/${COMMIT}/model.bin`;
const OPTIONS = { also: [], acceptUnverified: false };

test('an empty store holds nothing', async () => {
  const { catalog, refused } = await readCatalog(await freshStore(), OPTIONS);
  assert.deepEqual(catalog, { source: 'nothing', trees: [] });
  assert.deepEqual(refused, []);
});

test('uploads that never came to a manifest are nothing yet', async () => {
  const store = await freshStore();
  await store.put(FORMAT_KEY, FORMAT_BYTES);
  await store.put(`${TREE}/${BLOB}`, WEIGHTS);
  assert.equal((await readCatalog(store, OPTIONS)).catalog.source, 'nothing');
});

test('manifests are the catalog', async () => {
  const store = await freshStore();
  await putManifest(store, manifest());
  const { catalog } = await readCatalog(store, OPTIONS);
  assert.equal(catalog.source, 'manifests');
  const [tree] = catalog.trees;
  assert.deepEqual(
    tree?.files.map(({ path, size, key }) => [path, size, key]),
    [[BLOB, 7, `${TREE}/${BLOB}`]],
  );
  assert.deepEqual(tree?.refs, [{ path: 'refs/main', content: COMMIT }]);
});

test('a manifest that is not what its name says is refused, and the others count', async () => {
  const store = await freshStore();
  await putManifest(store, manifest());
  await store.put(manifestKey(TREE, 'f'.repeat(64)), Buffer.from('{}'));
  const { catalog, refused } = await readCatalog(store, OPTIONS);
  assert.equal(catalog.trees.length, 1);
  assert.deepEqual(
    refused.map(({ code }) => code),
    ['manifest-invalid'],
  );
});

test('a manifest that vanishes between the listing and the reading is refused, and the others count', async () => {
  const store = await freshStore();
  await putManifest(store, manifest());
  const phantom = { key: manifestKey('hub/models--a--b', 'e'.repeat(64)), size: 1, etag: '' };
  const { catalog, refused } = await readCatalog(listingAlso(store, phantom), OPTIONS);
  assert.equal(catalog.trees.length, 1);
  assert.deepEqual(
    refused.map(({ code }) => code),
    ['object-missing'],
  );
});

test('a store that fails under the manifests is its own error, not an empty catalog', async () => {
  const store = await freshStore();
  await putManifest(store, manifest());
  const broken = failing(store, (key) => key.endsWith('.json') && key !== FORMAT_KEY);
  await assert.rejects(readCatalog(broken, OPTIONS), { code: 'store-unreachable' });
});

test('a format that is not known is refused by name', async () => {
  const store = await freshStore();
  await store.put(FORMAT_KEY, Buffer.from('{"format":"model-cache","version":2}'));
  await assert.rejects(readCatalog(store, OPTIONS), { code: 'format-unknown', found: /"version":2/ });
});

test('a layout of a later version without ours is refused by name', async () => {
  const store = await freshStore();
  await store.put('.model-cache/v2/manifests/x', Buffer.from('x'));
  await assert.rejects(readCatalog(store, OPTIONS), { code: 'format-unknown', found: /v2/ });
});

test('what a dir keeps of its own, copied with it, is no layout', async () => {
  const store = await freshStore();
  await store.put('.model-cache/state.json', Buffer.from('{}'));
  await store.put('.model-cache/partial/x.1', WEIGHTS);
  await store.put(`${TREE}/${BLOB}`, WEIGHTS);
  await store.put(`${TREE}/${LINK}`, WEIGHTS);
  const { catalog } = await readCatalog(store, OPTIONS);
  assert.equal(catalog.source, 'listing');
  assert.equal(catalog.trees[0]?.links.length, 1);
});

test('what is above a store is refused, and the store named', async () => {
  const store = await freshStore();
  await store.put(`models/${FORMAT_KEY}`, FORMAT_BYTES);
  await store.put(`models/${TREE}/${BLOB}`, WEIGHTS);
  await store.put('outputs/speech.wav', WEIGHTS);
  await assert.rejects(readCatalog(store, OPTIONS), {
    code: 'format-unknown',
    found: 'models/.model-cache/v1/',
    hint: `use --store ${store.url}/models, or another prefix`,
  });
});

test('beside a store below it, a bucket that aws s3 sync filled is read without that', async () => {
  const store = await freshStore();
  await store.put(`other/${FORMAT_KEY}`, FORMAT_BYTES);
  await store.put(`other/hub/models--a--b/${BLOB}`, WEIGHTS);
  await store.put(`${TREE}/${BLOB}`, WEIGHTS);
  await store.put(`${TREE}/${LINK}`, WEIGHTS);
  const { catalog } = await readCatalog(store, OPTIONS);
  assert.deepEqual(
    catalog.trees.map(({ tree }) => tree),
    [TREE],
  );
});

test('a bucket that aws s3 sync filled: copies of a blob are links again, refs are byte for byte', async () => {
  const store = await freshStore();
  await store.put(`${TREE}/${BLOB}`, WEIGHTS);
  await store.put(`${TREE}/${LINK}`, WEIGHTS);
  const other = `snapshots/${'d'.repeat(40)}/other.bin`;
  await store.put(`${TREE}/${other}`, Buffer.from('WEIGHTS'));
  await store.put(`${TREE}/refs/main`, Buffer.from(COMMIT));
  await store.put('token', Buffer.from('hf_secret'));
  const { catalog } = await readCatalog(store, OPTIONS);
  assert.equal(catalog.source, 'listing');
  const [tree] = catalog.trees;
  assert.deepEqual(
    tree?.links.map(({ path, target }) => [path, target]),
    [[LINK, `../../${BLOB}`]],
  );
  assert.deepEqual(tree?.refused, [{ path: other, reason: 'unverified' }]);
  assert.deepEqual(tree?.refs, [{ path: 'refs/main', content: COMMIT }]);
  assert.equal(catalog.trees.length, 1);
});

test('once the store has failed, no copy more is read', async () => {
  const store = await freshStore();
  await store.put(`${TREE}/${BLOB}`, WEIGHTS);
  for (let index = 0; index < 20; index += 1)
    await store.put(`${TREE}/snapshots/${COMMIT}/${index}.bin`, WEIGHTS);
  const asked: string[] = [];
  const broken = failing(store, (key) => key.includes('/snapshots/') && asked.push(key) > 0);
  await assert.rejects(readCatalog(broken, OPTIONS), { code: 'store-unreachable' });
  await setTimeout(100);
  assert.equal(asked.length, 8);
});

test('of a bucket without manifests, what nothing vouches for comes only when it is accepted', async () => {
  const store = await freshStore();
  await store.put('torch/hub/checkpoints/model.pth', WEIGHTS);
  const careful = await readCatalog(store, OPTIONS);
  assert.deepEqual(careful.catalog.trees[0]?.files, []);
  const trusting = await readCatalog(store, { ...OPTIONS, acceptUnverified: true });
  assert.deepEqual(
    trusting.catalog.trees[0]?.files.map(({ path, digests }) => [path, digests]),
    [['model.pth', undefined]],
  );
});

test('a ref that ends with a newline is no ref: readers would not find its commit', async () => {
  const store = await freshStore();
  await store.put(`${TREE}/${BLOB}`, WEIGHTS);
  await store.put(`${TREE}/refs/main`, Buffer.from(`${COMMIT}\n`));
  await store.put(`${TREE}/refs/huge`, Buffer.alloc(5000, 'a'));
  assert.deepEqual((await readCatalog(store, OPTIONS)).catalog.trees[0]?.refs, []);
});

test('a folder that nobody asked to mirror is only named, though a manifest speaks of it', async () => {
  const store = await freshStore();
  await putManifest(store, { ...manifest(), tree: 'engines', refs: [], links: [], files: [plainFile()] });
  const { catalog } = await readCatalog(store, OPTIONS);
  assert.deepEqual(catalog, { source: 'nothing', trees: [], unasked: ['engines'] });
  const asked = await readCatalog(store, { ...OPTIONS, also: ['engines'] });
  assert.deepEqual(
    asked.catalog.trees.map(({ tree }) => tree),
    ['engines'],
  );
});

async function freshStore(): Promise<Store> {
  return new FolderStore(await mkdtemp(join(scratch, 'store-')));
}

function manifest(): Manifest {
  return {
    version: 1,
    tree: TREE,
    generation: 1,
    supersedes: [],
    files: [{ path: BLOB, size: WEIGHTS.length, sha256: sha256(WEIGHTS) }],
    links: [{ path: LINK, target: `../../${BLOB}` }],
    refs: [{ path: 'refs/main', content: COMMIT }],
    retired: [],
  };
}

function plainFile(): Manifest['files'][number] {
  return { path: 'engine.plan', size: WEIGHTS.length, sha256: sha256(WEIGHTS) };
}

async function putManifest(store: Store, value: Manifest): Promise<void> {
  const { name, bytes } = serializeManifest(value);
  for (const file of value.files) await store.put(objectKey(value.tree, file), WEIGHTS);
  await store.put(manifestKey(value.tree, name), bytes);
}

function listingAlso(store: Store, object: { key: string; size: number; etag: string }): Store {
  return Object.assign(Object.create(store) as Store, {
    get: store.get.bind(store),
    async *list(prefix: string) {
      yield* store.list(prefix);
      yield object;
    },
  });
}

function failing(store: Store, isBroken: (key: string) => boolean): Store {
  const get: Store['get'] = async (key, options) => {
    if (isBroken(key)) throw new ModelCacheError('store-unreachable', 'the line is dead');
    return store.get(key, options);
  };
  return Object.assign(Object.create(store) as Store, { get, list: store.list.bind(store) });
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
