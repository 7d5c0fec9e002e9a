import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { State } from '../../src/cache/state.ts';
import { ModelCacheError } from '../../src/errors.ts';
import { planUpload, type UploadItem } from '../../src/model/upload-plan.ts';
import { proveFiles } from '../../src/cache/prove.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import type { Store } from '../../src/store/store.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { sendFiles, type SentFile, type UploadFailure } from '../../src/transfer/upload.ts';
import { CacheDir, sha256 } from '../cache/cache-dir.ts';
import { contentOf, listed, soon } from '../store/bodies.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';
const MiB = 1024 * 1024;

test('what is sent is in the bucket under its key, with the digests of the very bytes', async () => {
  const { dir, store } = fresh();
  const { weights, config } = dir.repo();
  dir.file(`${REPO}/blobs/${sha256('')}`, '');
  const large = randomBytes(20 * MiB + 3);
  dir.file(`${REPO}/blobs/${sha256(large)}`, large);
  const { sent, failures, progress, state } = await send(dir, store);
  assert.deepEqual(failures, []);
  assert.equal(sent.length, 4);
  assert.ok((await contentOf(store, `${REPO}/blobs/${sha256(large)}`)).equals(large));
  assert.equal(String(await contentOf(store, `${REPO}/blobs/${weights}`)), 'weights');
  const small = sent.find(({ item }) => item.file.path === `blobs/${config}`);
  assert.deepEqual(small?.digests, { sha256: sha256('config'), gitSha1: config });
  assert.deepEqual([progress.filesDone, progress.bytesDone], [4, large.length + 13]);
  const { identity } = small.item.file;
  assert.deepEqual(state.digestsOf(`${REPO}/blobs/${config}`, identity), small.digests);
});

for (const [what, size] of [
  ['small', 1000],
  ['large', 20 * MiB],
] as const) {
  test(`a ${what} blob that is not what its name says never becomes an object`, async () => {
    const { dir, store } = fresh();
    dir.repo();
    const bytes = randomBytes(size);
    const path = dir.file(`${REPO}/blobs/${sha256(bytes)}`, bytes);
    bytes[size - 1] = (bytes[size - 1] ?? 0) ^ 1;
    writeFileSync(dir.at(path), bytes);
    const { sent, failures } = await send(dir, store);
    assert.deepEqual(
      failures.map(({ item, error }) => [item.file.path, error.code]),
      [[path.slice(REPO.length + 1), 'file-digest-differs']],
    );
    assert.equal(sent.length, 2);
    assert.equal((await listed(store, '')).length, 2);
    assert.deepEqual(await listed(store, path), []);
  });

  test(`a ${what} plain file that changed since it was hashed is not sent`, async () => {
    const { dir, store } = fresh();
    dir.file('torch/hub/checkpoints/model.pth', randomBytes(size));
    const items = await itemsOf(dir);
    appendFileSync(dir.at('torch/hub/checkpoints/model.pth'), 'and it grows');
    const { sent, failures } = await sendItems(dir, store, items);
    assert.deepEqual(sent, []);
    assert.match(failures[0]?.error.code ?? '', /^file-(changed|digest-differs)$/);
    assert.deepEqual(await listed(store, ''), []);
  });

  test(`a ${what} plain file that was rewritten in place with the same size is not sent`, async () => {
    const { dir, store } = fresh();
    dir.file('torch/hub/checkpoints/model.pth', randomBytes(size));
    const items = await itemsOf(dir);
    writeFileSync(dir.at('torch/hub/checkpoints/model.pth'), randomBytes(size), { flag: 'r+' });
    const { failures } = await sendItems(dir, store, items);
    assert.equal(failures.length, 1);
    assert.deepEqual(await listed(store, ''), []);
  });
}

test('a file that is gone is a failure of its own, and the others are sent', async () => {
  const { dir, store } = fresh();
  const { weights, config } = dir.repo();
  const items = await itemsOf(dir);
  rmSync(dir.at(`${REPO}/blobs/${weights}`));
  const { sent, failures } = await sendItems(dir, store, items);
  assert.deepEqual(
    failures.map(({ error }) => error.code),
    ['disk-failed'],
  );
  assert.deepEqual(
    sent.map(({ item }) => item.file.path),
    [`blobs/${config}`],
  );
});

test('what was sent and cannot be seen with its size is a failure, not sent', async () => {
  const { dir, store } = fresh();
  dir.repo();
  const head: Store['head'] = (key) => Promise.resolve({ key, size: 1, etag: '' });
  const { sent, failures } = await send(dir, but(store, { head }));
  assert.deepEqual(sent, []);
  assert.deepEqual(
    failures.map(({ error }) => error.code),
    ['object-size-differs', 'object-size-differs'],
  );
});

test('a store that fails stops everything with its own error', async () => {
  const { dir, store } = fresh();
  for (let count = 0; count < 50; count += 1) dir.file(`${REPO}/blobs/${sha256(`${count}`)}`, `${count}`);
  let puts = 0;
  const put: Store['put'] = () => {
    puts += 1;
    return Promise.reject(new ModelCacheError('store-denied', 'no right to write'));
  };
  await assert.rejects(soon(send(dir, but(store, { put }))), { code: 'store-denied' });
  assert.ok(puts < 20, `${puts} tries`);
});

test('an abort in the middle of a large file leaves no object', async () => {
  const { dir, store } = fresh();
  const bytes = randomBytes(40 * MiB);
  dir.file(`${REPO}/blobs/${sha256(bytes)}`, bytes);
  const stop = new AbortController();
  const putLarge: Store['putLarge'] = (key, chunks, options) =>
    store.putLarge(key, abortingAt(chunks, 10 * MiB, stop), options);
  const work = send(dir, but(store, { putLarge }), stop.signal);
  await assert.rejects(soon(work), { code: 'interrupted' });
  assert.deepEqual(await listed(store, ''), []);
});

async function* abortingAt(
  chunks: AsyncIterable<Buffer>,
  limit: number,
  stop: AbortController,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes >= limit) stop.abort(new ModelCacheError('interrupted', 'stopped'));
    yield chunk;
  }
}

interface Outcome {
  readonly sent: readonly SentFile[];
  readonly failures: readonly UploadFailure[];
  readonly progress: Progress;
  readonly state: State;
}

async function send(dir: CacheDir, store: Store, signal?: AbortSignal): Promise<Outcome> {
  return sendItems(dir, store, await itemsOf(dir), signal);
}

async function sendItems(
  dir: CacheDir,
  store: Store,
  items: readonly UploadItem[],
  signal = new AbortController().signal,
): Promise<Outcome> {
  const failures: UploadFailure[] = [];
  const onFailure = (failure: UploadFailure): void => void failures.push(failure);
  const [progress, state] = [new Progress(), State.empty()];
  const sent = await sendFiles(items, {
    dir: dir.path,
    store,
    state,
    progress,
    signal,
    onFailure,
    listing: new Map(),
    bytesPerSecond: undefined,
    abandonedBefore: 0,
    onUnshared: () => undefined,
  });
  return { sent, failures, progress, state };
}

/** Blobs are hashed while they are sent; plain files before. */
async function itemsOf(dir: CacheDir): Promise<readonly UploadItem[]> {
  const found = await dir.scan();
  const plain = found.trees
    .filter(({ tree }) => tree !== REPO)
    .flatMap((tree) => Array.from(tree.files.values(), (file) => ({ tree, file })));
  const { inventory } = await proveFiles(found, plain, State.empty());
  return planUpload(inventory, new Map()).send;
}

function but(store: Store, changes: Partial<Store>): Store {
  const bound = {
    get: store.get.bind(store),
    put: store.put.bind(store),
    putLarge: store.putLarge.bind(store),
    head: store.head.bind(store),
    list: store.list.bind(store),
    abandonUploads: store.abandonUploads.bind(store),
  };
  return {
    url: store.url,
    kind: store.kind,
    access: store.access,
    ranges: store.ranges,
    multiparts: store.multiparts,
    close: () => undefined,
    ...bound,
    ...changes,
  };
}

function fresh(): { readonly dir: CacheDir; readonly store: FolderStore } {
  const dir = new CacheDir(scratch.path).prepared();
  return { dir, store: new FolderStore(new CacheDir(scratch.path).path) };
}
