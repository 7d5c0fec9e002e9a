import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError } from '../../src/errors.ts';
import type { ObjectBody, Store } from '../../src/store/store.ts';
import type { CorruptObject } from '../../src/transfer/at-most-twice.ts';
import { Downloader } from '../../src/transfer/download.ts';
import { Progress } from '../../src/transfer/progress.ts';
import type { SmallFile } from '../../src/transfer/small-files.ts';
import { sha256 } from '../cache/cache-dir.ts';
import { soon } from '../store/bodies.ts';
import { bodyOf, storeThat, type Asked } from './scripted-store.ts';

const scratch = mkdtempSync(join(tmpdir(), 'small-files-'));
after(() => rmSync(scratch, { recursive: true }));
let paths = 0;
const freshPath = (): string => join(scratch, `file-${(paths += 1)}`);

const [A, B, C] = ['first', 'the second', 'third'];
const ALL_BYTES = A.length + B.length + C.length;
const NAMES: Readonly<Record<string, string>> = { a: A, b: B, c: C };
const contentOf = (key: string): Buffer => Buffer.from(NAMES[key] ?? '');
const serving = (asked: Asked): ObjectBody => bodyOf(contentOf(asked.key), asked);
/** The answer for one key is another one, as often as it is asked for. */
const butFor =
  (name: string, answer: (asked: Asked) => ObjectBody) =>
  (asked: Asked): ObjectBody =>
    asked.key === name ? answer(asked) : serving(asked);
const gone = (): never => {
  throw new ModelCacheError('object-missing', 'gone');
};
const wrong = (asked: Asked): ObjectBody => bodyOf(Buffer.alloc(contentOf(asked.key).length), asked);
const broken = (asked: Asked): ObjectBody => ({
  ...serving(asked),
  chunks: (async function* () {
    yield await Promise.resolve(contentOf(asked.key).subarray(0, 2));
    throw new ModelCacheError('store-unreachable', 'the connection broke');
  })(),
});

test('those that come are there, each told of in its order', async () => {
  const { files, progress, told, fetch } = fetching(storeThat(serving));
  await fetch();
  assert.deepEqual(told, [`a ${sha256(A)}`, `b ${sha256(B)}`, `c ${sha256(C)}`]);
  assert.deepEqual(
    files.map(({ path }) => readFileSync(path, 'utf8')),
    [A, B, C],
  );
  assert.deepEqual([progress.bytesDone, progress.waiting], [ALL_BYTES, 0]);
});

test('one that is not there fails, nothing is left of it, and the others come', async () => {
  const store = storeThat(butFor('b', gone));
  const { files, progress, told, fetch } = fetching(store);
  await fetch();
  assert.deepEqual(told, [`a ${sha256(A)}`, 'b object-missing', `c ${sha256(C)}`]);
  assert.deepEqual(
    files.map(({ path }) => existsSync(path)),
    [true, false, true],
  );
  assert.deepEqual([progress.bytesDone, store.asked.length], [ALL_BYTES - B.length, 3]);
});

test('one that breaks off is tried again before those behind it, as often as it is worth it', async () => {
  const store = storeThat(butFor('b', (asked) => (asked.count < 4 ? broken : serving)(asked)));
  const { progress, told, fetch } = fetching(store);
  await fetch();
  assert.deepEqual(told, [`a ${sha256(A)}`, `b ${sha256(B)}`, `c ${sha256(C)}`]);
  assert.deepEqual(
    store.asked.map(({ key, onNewConnection }) => `${key} ${onNewConnection}`),
    ['a false', 'b false', 'b true', 'b true', 'c false'],
  );
  assert.equal(progress.bytesDone, ALL_BYTES);
});

test('one that the store has too much to do for is tried again on a connection there is', async () => {
  const tooMuch = (): never => {
    throw new ModelCacheError('store-throttled', 'SlowDown');
  };
  const store = storeThat(butFor('b', (asked) => (asked.count === 2 ? tooMuch : serving)(asked)));
  const { fetch } = fetching(store);
  await fetch();
  assert.deepEqual(
    store.asked.map(({ key, onNewConnection }) => `${key} ${onNewConnection}`),
    ['a false', 'b false', 'b false', 'c false'],
  );
});

test('one that is wrong keeps none of the others waiting, and is fetched once more on another connection', async () => {
  const store = storeThat(butFor('b', (asked) => (asked.count === 2 ? wrong : serving)(asked)));
  const { corrupt, progress, told, fetch } = fetching(store);
  await fetch();
  assert.deepEqual(told, [`a ${sha256(A)}`, `c ${sha256(C)}`, `b ${sha256(B)}`]);
  assert.deepEqual(
    store.asked.map(({ key, onNewConnection }) => `${key} ${onNewConnection}`),
    ['a false', 'b false', 'c false', 'b true'],
  );
  assert.deepEqual([corrupt, progress.bytesDone], [[], ALL_BYTES]);
});

test('one that is wrong twice is blamed on the object', async () => {
  const store = storeThat(butFor('b', wrong));
  const { files, corrupt, progress, told, fetch } = fetching(store);
  await fetch();
  assert.deepEqual(told, [`a ${sha256(A)}`, `c ${sha256(C)}`, 'b object-digest-differs']);
  assert.deepEqual(corrupt, [{ key: 'b', etag: 'v1' }]);
  assert.equal(store.asked.filter(({ key }) => key === 'b').length, 2);
  assert.deepEqual(
    files.map(({ path }) => existsSync(path)),
    [true, false, true],
  );
  assert.equal(progress.bytesDone, ALL_BYTES - B.length);
});

test('what stops all of them is thrown, whichever was under way', async () => {
  const stop = new AbortController();
  const why = new Error('as told');
  const store = storeThat((asked) => {
    if (asked.key === 'b') stop.abort(why);
    asked.signal?.throwIfAborted();
    return serving(asked);
  });
  const { progress, told, fetch } = fetching(store, stop);
  await assert.rejects(fetch(), why);
  assert.deepEqual([told, progress.waiting], [[`a ${sha256(A)}`], 0]);
});

test('whoever hears of a failure may stop the others', async () => {
  const stop = new AbortController();
  const store = storeThat(butFor('a', gone));
  const { told, fetch } = fetching(store, stop, () => stop.abort());
  await assert.rejects(fetch());
  assert.deepEqual([told, store.asked.length], [['a object-missing'], 1]);
});

test('no more are under way at once than there are lanes, however many ask', async () => {
  let most = 0;
  let active = 0;
  const store = storeThat(async (asked) => {
    active += 1;
    most = Math.max(most, active);
    await sleep(20);
    active -= 1;
    return serving(asked);
  });
  const { files, told, fetch } = fetching(store);
  await Promise.all(
    Array.from({ length: 8 }, () => fetch(files.map(({ wanted }) => ({ wanted, path: freshPath() })))),
  );
  assert.equal(told.length, 24);
  assert.ok(most <= 4, `${most} at once, of 4`);
});

/** All three of them; what is told of them, in its order. */
function fetching(
  store: Store,
  { signal } = new AbortController(),
  alsoOnFailed: () => void = () => undefined,
): {
  files: readonly SmallFile[];
  progress: Progress;
  corrupt: CorruptObject[];
  told: string[];
  fetch: (files?: readonly SmallFile[]) => Promise<void>;
} {
  const progress = new Progress();
  const corrupt: CorruptObject[] = [];
  const told: string[] = [];
  const events = { onCorrupt: (object: CorruptObject) => corrupt.push(object), onResumed: () => undefined };
  const settings = { partsProve: false, bounds: { width: 4, partBytes: 1024 * 1024 } };
  const downloader = new Downloader(store, progress, settings, signal, events);
  after(() => downloader.close());
  const files: readonly SmallFile[] = ['a', 'b', 'c'].map(fileOf);
  const fetch = (wanted = files): Promise<void> =>
    soon(
      downloader.small.fetch(wanted, {
        onVerified: ({ wanted }, { digests }) => told.push(`${wanted.key} ${digests.sha256}`),
        onFailed: ({ wanted }, error) => {
          told.push(`${wanted.key} ${(error as ModelCacheError).code}`);
          alsoOnFailed();
        },
      }),
    );
  return { files, progress, corrupt, told, fetch };
}

function fileOf(key: string): SmallFile {
  const content = contentOf(key);
  const digests = { sha256: sha256(content) };
  const wanted = { path: `blobs/${key}`, size: content.length, key, digests, executable: false };
  return { wanted, path: freshPath() };
}
