import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { FolderStore } from '../../src/store/folder-store.ts';
import { contentOf, listed } from './bodies.ts';
import { storeConformance } from './conformance.ts';

const scratch = await mkdtemp(join(tmpdir(), 'folder-store-'));
after(() => rm(scratch, { recursive: true }));

describe('a folder is a store', () => {
  storeConformance(async () => {
    const { root, store } = await freshStore();
    return { store, leftovers: () => unfinishedIn(root) };
  });
});

test('an object is a plain file under its key', async () => {
  const { root, store } = await freshStore();
  await store.put('hub/models--a--b/refs/main', Buffer.from('x'));
  assert.equal(await readFile(join(root, 'hub/models--a--b/refs/main'), 'utf8'), 'x');
  assert.equal(store.url, `file://${root}`);
});

test('a folder that is not there yet is an empty store, and comes with the first object', async () => {
  const root = join(scratch, 'not', 'there', 'yet');
  const store = new FolderStore(root);
  assert.deepEqual(await listed(store, ''), []);
  await store.put('k', Buffer.from('x'));
  assert.deepEqual(await readdir(join(scratch, 'not', 'there')), ['yet']);
});

test('a key that would lead out of the folder is refused, and nothing is written or read there', async () => {
  const { root, store } = await freshStore();
  await writeFile(join(root, '..', 'outside'), 'secret');
  const unsafe = [
    '../outside',
    'a/../../outside',
    '/etc/passwd',
    '',
    'a//b',
    'a/./b',
    'a\\b',
    'a\0b',
    'a\nb',
  ];
  for (const key of unsafe) {
    await assert.rejects(store.get(key), { code: 'path-unsafe' }, key);
    await assert.rejects(store.head(key), { code: 'path-unsafe' }, key);
    await assert.rejects(store.put(key, Buffer.from('x')), { code: 'path-unsafe' }, key);
    const large = { size: 1, partSize: 1 };
    await assert.rejects(store.putLarge(key, one(), large), { code: 'path-unsafe' }, key);
  }
  assert.equal(await readFile(join(root, '..', 'outside'), 'utf8'), 'secret');
  assert.deepEqual(await unfinishedIn(root), []);
});

test('listing does not leave the folder either', async () => {
  const { root, store } = await freshStore();
  await writeFile(join(root, '..', 'beside'), 'secret');
  const keys = await listed(store, '../').catch(() => []);
  assert.deepEqual(keys, []);
});

test('a stray file whose name can be no key does not hide the objects', async () => {
  const { root, store } = await freshStore();
  await store.put('k', Buffer.from('x'));
  await writeFile(join(root, 'back\\slash'), 'stray');
  await writeFile(join(root, 'new\nline'), 'stray');
  assert.deepEqual(await listed(store, ''), ['k']);
});

test('files that are being written are in no listing', async () => {
  const { root, store } = await freshStore();
  let seen: readonly string[] = [];
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from('half');
    seen = await listed(store, '');
    assert.equal((await unfinishedIn(root)).length, 1);
    yield Buffer.from('whole');
  }
  await store.putLarge('k', chunks(), { size: 9, partSize: 4 });
  assert.deepEqual(seen, []);
  assert.equal(String(await contentOf(store, 'k')), 'halfwhole');
});

test('two writers of one key: one of their objects is there, whole', async () => {
  const { store } = await freshStore();
  const bodies = ['first', 'second'].map((name) => Buffer.from(name.repeat(100_000)));
  await Promise.all(bodies.map((bytes) => store.put('k', bytes)));
  const found = await contentOf(store, 'k');
  assert.ok(bodies.some((bytes) => bytes.equals(found)));
});

test('a root that is a file is an error of the store', async () => {
  const root = join(scratch, 'a-file');
  await writeFile(root, 'x');
  const store = new FolderStore(root);
  await assert.rejects(store.put('k', Buffer.from('x')), { code: /^store-/ });
});

test('an object that is a folder, or has one in its way, is an error of the store or the object', async () => {
  const { root, store } = await freshStore();
  await mkdir(join(root, 'in-the-way'), { recursive: true });
  await writeFile(join(root, 'file'), 'x');
  await assert.rejects(store.put('in-the-way', Buffer.from('x')), { code: /^(store|object)-/ });
  await assert.rejects(store.put('file/below', Buffer.from('x')), { code: /^(store|object)-/ });
  assert.deepEqual(await unfinishedIn(root), []);
});

test('a planted link is no object', async () => {
  const { root, store } = await freshStore();
  await store.put('k', Buffer.from('x'));
  await symlink('/etc', join(root, 'planted'));
  assert.deepEqual(await listed(store, ''), ['k']);
});

async function freshStore(): Promise<{ readonly root: string; readonly store: FolderStore }> {
  const root = join(await mkdtemp(join(scratch, 'root-')), 'store');
  return { root, store: new FolderStore(root) };
}

async function unfinishedIn(root: string): Promise<readonly string[]> {
  const folder = join(root, '.model-cache', 'tmp');
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  return isThere ? readdir(folder) : [];
}

async function* one(): AsyncGenerator<Buffer> {
  yield Buffer.from('x');
}
