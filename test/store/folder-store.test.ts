import assert from 'node:assert/strict';
import {
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
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

test('what is wrong with the file that is sent is not said of the store', async () => {
  const { root, store } = await freshStore();
  const why = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  // oxlint-disable-next-line typescript/require-await -- what is sent is read as it goes
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from('x');
    throw why;
  }
  await assert.rejects(store.putLarge('k', broken(), { size: 2, partSize: 1 }), (error) => error === why);
  assert.deepEqual(await unfinishedIn(root), []);
});

test('below a link that leads to itself there is nothing', async () => {
  const { root, store } = await freshStore();
  await store.put('k', Buffer.from('x'));
  await symlink('loop', join(root, 'loop'));
  assert.equal(await store.head('loop/k'), undefined);
  await assert.rejects(store.get('loop/k'), { code: 'object-missing' });
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

test('only files of its own that nobody has written to for long are abandoned', async () => {
  const { root, store } = await freshStore();
  const folder = join(root, '.model-cache', 'tmp');
  await store.put('old object', Buffer.from('x'));
  await mkdir(join(folder, 'a-folder'), { recursive: true });
  await writeFile(join(root, '.model-cache', 'beside'), 'x');
  await writeFile(join(root, '..', 'outside'), 'x');
  await symlink(join(root, '..', 'outside'), join(folder, 'a-link'));
  for (const name of ['old', 'older', 'young']) await writeFile(join(folder, name), 'half');
  const before = Date.now() - 3_600_000;
  for (const path of [
    'old object',
    '.model-cache/beside',
    '../outside',
    ...['old', 'older', 'a-folder'].map((name) => `.model-cache/tmp/${name}`),
  ])
    await utimes(join(root, path), (before - 1) / 1000, (before - 1) / 1000);
  await lutimes(join(folder, 'a-link'), 0, 0);
  assert.equal(await store.abandonUploads(before), 2);
  assert.deepEqual((await unfinishedIn(root)).toSorted(), ['a-folder', 'a-link', 'young']);
  assert.equal(await store.abandonUploads(before), 0);
  assert.deepEqual(await listed(store, 'old'), ['old object']);
  assert.equal(await readFile(join(root, '..', 'outside'), 'utf8'), 'x');
  assert.equal(await readFile(join(root, '.model-cache', 'beside'), 'utf8'), 'x');
});

test('nothing is abandoned where nothing was begun, nor where a planted link leads', async () => {
  const { root, store } = await freshStore();
  assert.equal(await store.abandonUploads(Date.now()), 0);
  const elsewhere = join(root, '..', 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, 'precious'), 'x');
  await mkdir(join(root, '.model-cache'), { recursive: true });
  await symlink(elsewhere, join(root, '.model-cache', 'tmp'));
  assert.equal(await store.abandonUploads(Date.now() + 60_000), 0);
  assert.deepEqual(await readdir(elsewhere), ['precious']);
});

test('a root that is reached by a link is as good as any', async () => {
  const { root, store } = await freshStore();
  await store.put('k', Buffer.from('x'));
  await writeFile(join(root, '.model-cache', 'tmp', 'left'), 'half');
  await symlink(root, `${root}-link`);
  assert.equal(await new FolderStore(`${root}-link`).abandonUploads(Date.now() + 60_000), 1);
});

test('with a signal that has aborted already, nothing is abandoned', async () => {
  const { root, store } = await freshStore();
  await store.put('k', Buffer.from('x'));
  await writeFile(join(root, '.model-cache', 'tmp', 'left'), 'half');
  const why = new Error('stopped');
  await assert.rejects(store.abandonUploads(Date.now() + 60_000, AbortSignal.abort(why)), why);
  assert.deepEqual(await unfinishedIn(root), ['left']);
});

test('an object in a folder is written in one go', async () => {
  assert.equal((await freshStore()).store.multiparts, undefined);
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
