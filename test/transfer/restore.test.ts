import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Publisher } from '../../src/cache/publish.ts';
import { State } from '../../src/cache/state.ts';
import { ModelCacheError } from '../../src/errors.ts';
import type { Catalog, CatalogFile } from '../../src/model/catalog.ts';
import { planRestore } from '../../src/model/plan.ts';
import type { Selection } from '../../src/model/selection.ts';
import type { ObjectBody, Store } from '../../src/store/store.ts';
import { Progress } from '../../src/transfer/progress.ts';
import type { FileFailure } from '../../src/model/file-failure.ts';
import { executeRestore } from '../../src/transfer/restore.ts';
import { CacheDir, COMMIT, sha256 } from '../cache/cache-dir.ts';
import { soon } from '../store/bodies.ts';
import { bodyOf, storeThat, type Asked } from './scripted-store.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';
const OTHER = 'hub/models--org--other';
const SNAPSHOT = `snapshots/${COMMIT}`;
const [A, B] = ['weights', 'config'];
const MiB = 1024 * 1024;
/** Two ranges, in a repo of its own. */
const BIG = 'hub/models--org--big';
const LARGE = randomBytes(20 * MiB);
const SMALL_ONLY: Selection = {
  models: ['org/name', 'org/other'].map((repo) => ({
    text: repo,
    repo,
    revision: undefined,
    glob: undefined,
  })),
  exclude: [],
};
const EVERYTHING: Selection = { models: [], exclude: [] };

test('blobs, links and refs are as the catalog has them, and nothing else', async () => {
  const { dir, failures, state, progress } = await restore(serving());
  assert.deepEqual(failures, []);
  assert.equal(readFileSync(dir.at(`${REPO}/${SNAPSHOT}/${A}`), 'utf8'), A);
  assert.equal(readlinkSync(dir.at(`${REPO}/${SNAPSHOT}/${A}`)), `../../blobs/${sha256(A)}`);
  assert.equal(readFileSync(dir.at(`${REPO}/refs/main`), 'utf8'), COMMIT);
  assert.deepEqual(readdirSync(dir.at(REPO)).toSorted(), ['blobs', 'refs', 'snapshots']);
  assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
  assert.deepEqual([...state.agreedRefs(REPO)], [['refs/main', COMMIT]]);
  assert.deepEqual([progress.filesDone, progress.bytesDone], [3, A.length + 2 * B.length]);
});

test('what does not come, or cannot be put anywhere, is not expected any more', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  mkdirSync(dir.at(REPO), { recursive: true });
  symlinkSync('/nonexistent', dir.at(`${REPO}/blobs`));
  const store = storeThat((asked) => {
    if (asked.key.endsWith(sha256(LARGE))) throw new ModelCacheError('object-missing', 'gone');
    return bodyOf(contentOf(asked), asked);
  });
  const { failures, progress } = await restore(store, dir, false, EVERYTHING);
  assert.deepEqual(failures.map(({ error }) => error.code).toSorted(), [
    'object-missing',
    'path-unsafe',
    'path-unsafe',
  ]);
  assert.deepEqual([progress.bytesDone, progress.bytesTotal], [B.length, B.length]);
});

test('the order on the disk is blob, then its link, then the ref', async () => {
  const seen: string[] = [];
  const dir = new CacheDir(scratch.path).prepared();
  const look = (): void => {
    const at = (path: string): boolean =>
      lstatSync(dir.at(`${REPO}/${path}`), { throwIfNoEntry: false }) !== undefined;
    const isDangling = at(`${SNAPSHOT}/${A}`) && !existsSync(dir.at(`${REPO}/${SNAPSHOT}/${A}`));
    if (at('refs/main')) seen.push('a ref before the end');
    if (isDangling) seen.push('a dangling link');
  };
  const store = storeThat((asked) => {
    look();
    return bodyOf(contentOf(asked), asked);
  });
  await restore(store, dir);
  assert.deepEqual(seen, []);
});

test('an object that is wrong stays out with its link and its ref, and the rest comes', async () => {
  const store = storeThat((asked) =>
    bodyOf(asked.key.includes(sha256(A)) ? Buffer.from('WEIGHTS') : contentOf(asked), asked),
  );
  const { dir, failures } = await restore(store);
  assert.deepEqual(
    failures.map(({ tree, path, error }) => [tree, path, error.code]),
    [[REPO, `blobs/${sha256(A)}`, 'object-digest-differs']],
  );
  assert.equal(existsSync(dir.at(`${REPO}/blobs/${sha256(A)}`)), false);
  assert.equal(lstatSync(dir.at(`${REPO}/${SNAPSHOT}/${A}`), { throwIfNoEntry: false }), undefined);
  assert.equal(existsSync(dir.at(`${REPO}/refs/main`)), false);
  assert.equal(readFileSync(dir.at(`${REPO}/${SNAPSHOT}/${B}`), 'utf8'), B);
  assert.equal(readFileSync(dir.at(`${OTHER}/refs/main`), 'utf8'), COMMIT);
  assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
});

test('a ref that was not published was not agreed on either', async () => {
  const store = storeThat((asked) =>
    bodyOf(asked.key.includes(sha256(A)) ? Buffer.from('WEIGHTS') : contentOf(asked), asked),
  );
  const { state } = await restore(store);
  assert.deepEqual([...state.agreedRefs(REPO)], []);
  assert.deepEqual([...state.agreedRefs(OTHER)], [['refs/main', COMMIT]]);
});

test('a ref that was not asked for was not agreed on: the dir may have an older one', async () => {
  const spec = { text: 'org/name', repo: 'org/name', revision: undefined, glob: undefined };
  const { state } = await restore(serving(), undefined, false, { models: [spec], exclude: [] });
  assert.deepEqual([...state.agreedRefs(REPO)], [['refs/main', COMMIT]]);
  assert.deepEqual([...state.agreedRefs(OTHER)], []);
});

test('a folder in the way of one file does not keep the others out', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  mkdirSync(dir.at(`${REPO}/blobs/${sha256(A)}/full`), { recursive: true });
  const { failures } = await restore(serving(), dir);
  assert.equal(failures.length, 1);
  assert.equal(readFileSync(dir.at(`${OTHER}/refs/main`), 'utf8'), COMMIT);
});

for (const times of [1, 2]) {
  test(`a file that is taken away ${times} times before it is published does not keep the others out`, async () => {
    const dir = new CacheDir(scratch.path).prepared();
    let left = times;
    const store = storeThat((asked) => {
      const body = bodyOf(contentOf(asked), asked);
      if (!asked.key.includes(sha256(A)) || left === 0) return body;
      left -= 1;
      return { ...body, chunks: chunksThenRemoval(body.chunks, dir) };
    });
    const { failures, progress } = await restore(store, dir);
    assert.deepEqual(
      failures.map(({ path, error }) => [path, error.code]),
      times === 1 ? [] : [[`blobs/${sha256(A)}`, 'file-changed']],
    );
    assert.equal(existsSync(dir.at(`${REPO}/refs/main`)), times === 1);
    assert.equal(readFileSync(dir.at(`${OTHER}/refs/main`), 'utf8'), COMMIT);
    assert.equal(progress.bytesDone, progress.bytesTotal);
    assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
  });
}

test('a planted link in the way is a failure of those files, and nothing is written where it leads', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  const outside = new CacheDir(scratch.path);
  dir.link(`${REPO}/blobs`, outside.path);
  const { failures } = await restore(serving(), dir);
  assert.deepEqual([...new Set(failures.map(({ error }) => error.code))], ['path-unsafe']);
  assert.deepEqual(readdirSync(outside.path), []);
  assert.equal(readFileSync(dir.at(`${OTHER}/refs/main`), 'utf8'), COMMIT);
});

test('a planted link in the way of a snapshot or of refs concerns that repo only', async () => {
  for (const name of ['snapshots', 'refs']) {
    const dir = new CacheDir(scratch.path).prepared();
    dir.link(`${REPO}/${name}`, new CacheDir(scratch.path).path);
    await restore(serving(), dir).catch((error: unknown) => assert.fail(`${name}: ${String(error)}`));
    assert.equal(readFileSync(dir.at(`${OTHER}/refs/main`), 'utf8'), COMMIT, name);
  }
});

test('a store that fails stops everything, and what was published by then is whole', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  const store = storeThat((asked) => {
    if (asked.key.startsWith(OTHER)) throw new ModelCacheError('store-denied', 'no');
    return bodyOf(contentOf(asked), asked);
  });
  await assert.rejects(soon(restore(store, dir)), { code: 'store-denied' });
  assert.equal(existsSync(dir.at(`${OTHER}/refs/main`)), false);
  assert.equal(existsSync(dir.at(`${REPO}/refs/main`)), false);
});

test('a disk that fails ends all, before or after anything was asked for', async () => {
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  const one: Catalog = { source: 'manifests', trees: [treeOf(REPO, [A])] };
  for (const step of ['prepare', 'publishFile'] as const) {
    const dir = new CacheDir(scratch.path).prepared();
    const publisher = new Publisher(dir.path, undefined);
    publisher[step] = (): never => {
      throw full;
    };
    const restoring = restore(serving(), dir, false, EVERYTHING, [], undefined, one, publisher);
    await assert.rejects(soon(restoring), full, step);
    assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), [], step);
  }
});

test('what is here already is linked and not fetched', async () => {
  const dir = new CacheDir(scratch.path).prepared();
  for (const [tree, content] of [
    [REPO, A],
    [REPO, B],
    [OTHER, B],
  ] as const)
    dir.file(`${tree}/blobs/${sha256(content)}`, content);
  const store = serving();
  await restore(store, dir, true);
  assert.deepEqual(store.asked, []);
  assert.equal(readFileSync(dir.at(`${REPO}/${SNAPSHOT}/${A}`), 'utf8'), A);
  assert.equal(readFileSync(dir.at(`${REPO}/refs/main`), 'utf8'), COMMIT);
});

test('what a stop signal interrupts stays, and the next run fetches what is missing', async () => {
  const { dir, resumed } = await interruptedBy(new ModelCacheError('interrupted', 'stopped by SIGTERM'));
  assert.equal(readdirSync(dir.at('.model-cache/partial')).length, 2);
  const store = serving();
  const restored = await restore(store, dir, false, EVERYTHING, resumed);
  const [bytes = 0] = resumed;
  assert.ok(bytes >= MiB && bytes < LARGE.length, String(bytes));
  assert.ok(store.asked.every(({ key, range }) => !key.endsWith(sha256(LARGE)) || range?.start !== 0));
  assert.ok(readFileSync(dir.at(`${BIG}/blobs/${sha256(LARGE)}`)).equals(LARGE));
  assert.ok(restored.progress.bytesDone <= LARGE.length - bytes + A.length + 2 * B.length);
  assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
});

test('what ends in another way leaves nothing: the server needs the room', async () => {
  for (const code of ['store-stalled', 'store-timeout', 'internal'] as const) {
    const { dir } = await interruptedBy(new ModelCacheError(code, 'no'));
    assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), [], code);
  }
});

describe('of many small files, which come by the handful,', () => {
  /** All of one size, so that they come in any order. */
  const contents = Array.from({ length: 600 }, (_, number) => `file-${String(number).padStart(3, '0')}`);
  const [missing = '', wrong = '', taken = '', blocked = '', broken = ''] = contents;
  const wanted: Catalog = { source: 'manifests', trees: [treeOf(REPO, contents)] };
  const byName = new Map(contents.map((content) => [sha256(content), content]));
  const contentNamed = ({ key }: Asked): string => byName.get(key.slice(-64)) ?? assert.fail(key);
  const well = (asked: Asked): ObjectBody => bodyOf(Buffer.from(contentNamed(asked)), asked);
  const restoreMany = (store: Store, dir: CacheDir, signal?: AbortSignal): ReturnType<typeof restore> =>
    soon(restore(store, dir, false, EVERYTHING, [], signal, wanted));
  const publishedIn = (dir: CacheDir): readonly string[] =>
    contents.filter((content) => existsSync(dir.at(`${REPO}/blobs/${sha256(content)}`)));

  test('each is there once, with its link, and all are counted', async () => {
    const store = storeThat(well);
    const dir = new CacheDir(scratch.path).prepared();
    const { failures, progress } = await restoreMany(store, dir);
    assert.deepEqual(failures, []);
    for (const content of contents)
      assert.equal(readFileSync(dir.at(`${REPO}/${SNAPSHOT}/${content}`), 'utf8'), content);
    assert.equal(store.asked.length, 600);
    assert.deepEqual(
      [progress.filesDone, progress.bytesDone, progress.waiting],
      [600, progress.bytesTotal, 0],
    );
    assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
  });

  test('those that are missing, wrong, or not to be written are failures, and none of the others is', async () => {
    const dir = new CacheDir(scratch.path).prepared();
    mkdirSync(dir.at(`${REPO}/blobs/${sha256(blocked)}/full`), { recursive: true });
    let isTaken = false;
    let isBroken = false;
    const store = storeThat((asked) => {
      const content = contentNamed(asked);
      if (content === missing) throw new ModelCacheError('object-missing', 'gone');
      if (content === wrong) return bodyOf(Buffer.alloc(content.length), asked);
      if (content === broken && !isBroken) {
        isBroken = true;
        throw new ModelCacheError('store-unreachable', 'once');
      }
      if (content !== taken || isTaken) return well(asked);
      isTaken = true;
      return { ...well(asked), chunks: chunksThenRemoval(well(asked).chunks, dir, taken) };
    });
    const { failures, progress } = await restoreMany(store, dir);
    assert.deepEqual(
      failures.map(({ path, error }) => `${path} ${error.code}`).toSorted(),
      [
        `blobs/${sha256(missing)} object-missing`,
        `blobs/${sha256(wrong)} object-digest-differs`,
        `blobs/${sha256(blocked)} path-unsafe`,
      ].toSorted(),
    );
    assert.equal(publishedIn(dir).length, 598);
    assert.equal(progress.filesDone, 597);
    assert.equal(progress.bytesTotal, progress.bytesDone, 'what does not come is not expected any more');
    assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
  });

  test('a stop leaves those that are published, and nothing half', async () => {
    const dir = new CacheDir(scratch.path).prepared();
    const stop = new AbortController();
    const why = new ModelCacheError('interrupted', 'stopped');
    const store = storeThat((asked) => {
      if (asked.count === 300) stop.abort(why);
      stop.signal.throwIfAborted();
      return well(asked);
    });
    await assert.rejects(restoreMany(store, dir, stop.signal), why);
    const published = publishedIn(dir);
    assert.ok(published.length > 0 && published.length < 300, `${published.length} of 300`);
    for (const content of published)
      assert.equal(readFileSync(dir.at(`${REPO}/blobs/${sha256(content)}`), 'utf8'), content);
    assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
    assert.equal(existsSync(dir.at(`${REPO}/refs/main`)), false);
  });

  test('a store that fails one of them ends all, soon', async () => {
    const store = storeThat((asked) => {
      if (asked.count > 100) throw new ModelCacheError('store-denied', 'no');
      return well(asked);
    });
    const dir = new CacheDir(scratch.path).prepared();
    await assert.rejects(restoreMany(store, dir), { code: 'store-denied' });
    assert.ok(store.asked.length < 300, `asked ${store.asked.length} times`);
    assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
  });
});

/** A run that is stopped when the first range of the large file was written, and the second is asked for. */
async function interruptedBy(reason: ModelCacheError): Promise<{ dir: CacheDir; resumed: number[] }> {
  const dir = new CacheDir(scratch.path).prepared();
  const stop = new AbortController();
  const firstIsHere = async (): Promise<void> => {
    const journals = (): readonly string[] =>
      readdirSync(dir.at('.model-cache/partial')).filter((name) => name.endsWith('.parts'));
    const isNoted = (name: string): boolean =>
      readFileSync(dir.at(`.model-cache/partial/${name}`), 'utf8').split('\n').length > 2;
    while (!journals().some(isNoted)) await sleep(5);
  };
  const store = storeThat(async (asked) => {
    if (asked.key.endsWith(sha256(LARGE)) && asked.range?.start !== 0) {
      await firstIsHere();
      stop.abort(reason);
      stop.signal.throwIfAborted();
    }
    return bodyOf(contentOf(asked), asked);
  });
  const resumed: number[] = [];
  await assert.rejects(soon(restore(store, dir, false, EVERYTHING, resumed, stop.signal)), reason);
  return { dir, resumed };
}

/** As another program would that clears our folder. */
async function* chunksThenRemoval(
  chunks: AsyncIterable<Buffer>,
  dir: CacheDir,
  content = A,
): AsyncGenerator<Buffer> {
  yield* chunks;
  const folder = dir.at('.model-cache/partial');
  for (const name of readdirSync(folder)) if (name.startsWith(sha256(content))) rmSync(`${folder}/${name}`);
}

function serving(): ReturnType<typeof storeThat> {
  return storeThat((asked) => bodyOf(contentOf(asked), asked));
}

function contentOf({ key }: Asked): Buffer {
  if (key.endsWith(sha256(LARGE))) return LARGE;
  return Buffer.from(key.endsWith(sha256(A)) ? A : B);
}

async function restore(
  store: Store,
  dir = new CacheDir(scratch.path).prepared(),
  isHere = false,
  selection = SMALL_ONLY,
  resumed: number[] = [],
  signal = new AbortController().signal,
  wanted = catalog(),
  publisher = new Publisher(dir.path, undefined),
): Promise<{ dir: CacheDir; failures: readonly FileFailure[]; state: State; progress: Progress }> {
  const inventory = await dir.scan();
  const trees = inventory.trees.map((tree) => ({
    ...tree,
    files: new Map(
      Array.from(tree.files, ([path, file]) => [path, { ...file, digests: { sha256: path.slice(6) } }]),
    ),
  }));
  const local = isHere ? { ...inventory, trees } : { ...inventory, trees: [] };
  const plan = planRestore(wanted, local, selection, { freeBytes: 1e12 });
  const failures: FileFailure[] = [];
  const [state, progress] = [State.empty(), new Progress()];
  const onFailure = (failure: FileFailure): void => void failures.push(failure);
  const bounds = { width: 64, partBytes: 16 * MiB };
  const onResumed = (_: CatalogFile, bytes: number): void => void resumed.push(bytes);
  await executeRestore(plan, { store, publisher, state, progress, bounds, signal, onFailure, onResumed });
  return { dir, failures, state, progress };
}

function catalog(): Catalog {
  return { source: 'manifests', trees: [treeOf(REPO, [A, B]), treeOf(OTHER, [B]), treeOf(BIG, [LARGE])] };
}

function treeOf(tree: string, contents: readonly (string | Buffer)[]): Catalog['trees'][number] {
  return {
    tree,
    files: contents.map((content): CatalogFile => {
      const path = `blobs/${sha256(content)}`;
      const digests = { sha256: sha256(content) };
      return { path, size: content.length, key: `${tree}/${path}`, digests, executable: false };
    }),
    links: contents.map((content) => {
      const to = `blobs/${sha256(content)}`;
      const name = typeof content === 'string' ? content : 'large';
      return { path: `${SNAPSHOT}/${name}`, target: `../../${to}`, to };
    }),
    refs: [{ path: 'refs/main', content: COMMIT }],
    retired: new Set(),
    refused: [],
  };
}
