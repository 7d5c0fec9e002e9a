import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import type { ObjectBody, Store } from '../../src/store/store.ts';
import type { CorruptObject } from '../../src/transfer/at-most-twice.ts';
import { Downloader } from '../../src/transfer/download.ts';
import { Progress } from '../../src/transfer/progress.ts';
import type { SmallFile, SmallFiles } from '../../src/transfer/small-files.ts';
import { WrongContent } from '../../src/transfer/wrong-content.ts';
import { sha256 } from '../cache/cache-dir.ts';
import { soon } from '../store/bodies.ts';
import { bodyOf, storeThat, type Asked } from './scripted-store.ts';

const scratch = mkdtempSync(join(tmpdir(), 'small-files-'));
after(() => rmSync(scratch, { recursive: true }));
let paths = 0;

const [A, B, C] = ['first', 'the second', 'third'];
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
  const { small, files, progress } = smallOf(storeThat(serving));
  const told: string[] = [];
  const others = await small.together(files, ({ wanted }, { digests }) => {
    told.push(`${wanted.key} ${digests.sha256}`);
  });
  assert.deepEqual(told, [`a ${sha256(A)}`, `b ${sha256(B)}`, `c ${sha256(C)}`]);
  assert.deepEqual([...others], []);
  assert.deepEqual(
    files.map(({ path }) => readFileSync(path, 'utf8')),
    [A, B, C],
  );
  assert.deepEqual([progress.bytesDone, progress.waiting], [A.length + B.length + C.length, 0]);
});

for (const [name, answer, code] of [
  ['is not there', gone, 'object-missing'],
  ['breaks off', broken, 'store-unreachable'],
] as const)
  test(`one that ${name} is told with its error, and those behind it were not asked for`, async () => {
    const store = storeThat(butFor('b', answer));
    const { small, files, progress } = smallOf(store);
    const [a, b, c] = files;
    const told: SmallFile[] = [];
    const others = await small.together(files, (file) => told.push(file));
    assert.deepEqual(told, [a]);
    assert.deepEqual([...others.keys()], [b, c]);
    assert.equal((others.get(b) as ModelCacheError).code, code);
    assert.equal(others.get(c), undefined);
    assert.equal(store.asked.length, 2);
    assert.equal(existsSync(b.path), false);
    assert.equal(progress.bytesDone, A.length);
  });

test('one that is wrong keeps none of the others waiting, and nothing is left of it', async () => {
  const { small, files, progress } = smallOf(storeThat(butFor('b', wrong)));
  const [a, b, c] = files;
  const told: SmallFile[] = [];
  const others = await small.together(files, (file) => told.push(file));
  assert.deepEqual(told, [a, c]);
  assert.deepEqual([...others.keys()], [b]);
  assert.ok(others.get(b) instanceof WrongContent);
  assert.equal(existsSync(b.path), false);
  assert.equal(progress.bytesDone, A.length + C.length);
});

test('one that was wrong among others is fetched once more by itself, on another connection', async () => {
  const store = storeThat(butFor('b', (asked) => (asked.count === 2 ? wrong : serving)(asked)));
  const { small, files, corrupt, progress } = smallOf(store);
  const [, b] = files;
  const others = await small.together(files, () => undefined);
  const verified = await soon(small.alone(b, others.get(b)));
  assert.deepEqual(verified.digests, { sha256: sha256(B) });
  assert.deepEqual(
    store.asked.map(({ key, onNewConnection }) => [key, onNewConnection]),
    [
      ['a', false],
      ['b', false],
      ['c', false],
      ['b', true],
    ],
  );
  assert.deepEqual([corrupt, progress.bytesDone], [[], A.length + B.length + C.length]);
});

test('one that is wrong again is blamed on the object', async () => {
  const store = storeThat(butFor('b', wrong));
  const { small, files, corrupt } = smallOf(store);
  const [, b] = files;
  const others = await small.together(files, () => undefined);
  await assert.rejects(soon(small.alone(b, others.get(b))), { code: 'object-digest-differs' });
  assert.deepEqual(corrupt, [{ key: 'b', etag: 'v1' }]);
  assert.equal(store.asked.filter(({ key }) => key === 'b').length, 2);
});

test('one that broke off among others is tried again, as often as it would have been alone', async () => {
  const store = storeThat(butFor('b', (asked) => (asked.count === 2 ? broken : serving)(asked)));
  const { small, files } = smallOf(store);
  const [, b] = files;
  const others = await small.together(files, () => undefined);
  await soon(small.alone(b, others.get(b)));
  const ofB = store.asked.filter(({ key }) => key === 'b');
  assert.deepEqual(
    ofB.map(({ onNewConnection }) => onNewConnection),
    [false, true],
  );
});

test('what stops all of them is thrown', async () => {
  const stop = new AbortController();
  const why = new Error('as told');
  const store = storeThat((asked) => {
    if (asked.key === 'b') stop.abort(why);
    asked.signal?.throwIfAborted();
    return serving(asked);
  });
  const { small, files, progress } = smallOf(store, stop.signal);
  await assert.rejects(soon(small.together(files, () => undefined)), why);
  assert.equal(progress.waiting, 0);
});

function smallOf(
  store: Store,
  signal = new AbortController().signal,
): {
  small: SmallFiles;
  files: readonly [SmallFile, SmallFile, SmallFile];
  progress: Progress;
  corrupt: CorruptObject[];
} {
  const progress = new Progress();
  const corrupt: CorruptObject[] = [];
  const events = { onCorrupt: (object: CorruptObject) => corrupt.push(object), onResumed: () => undefined };
  const settings = { partsProve: false, bounds: { width: 4, partBytes: 1024 * 1024 } };
  const downloader = new Downloader(store, progress, settings, signal, events);
  after(() => downloader.close());
  return { small: downloader.small, files: [fileOf('a'), fileOf('b'), fileOf('c')], progress, corrupt };
}

function fileOf(key: string): SmallFile {
  const content = contentOf(key);
  const digests = { sha256: sha256(content) };
  const wanted = { path: `blobs/${key}`, size: content.length, key, digests, executable: false };
  return { wanted, path: join(scratch, `file-${(paths += 1)}`) };
}
