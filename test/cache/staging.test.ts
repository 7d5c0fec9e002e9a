import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import fsPromises, { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { after, test, type TestContext } from 'node:test';
import { lockOf, tryLock } from '../../src/cache/flock.ts';
import { Flusher } from '../../src/cache/flusher.ts';
import { clearLeftovers } from '../../src/cache/leftovers.ts';
import { isInMemory } from '../../src/cache/space.ts';
import { publishSmall, smallStagedPath, withStaged, type Staging } from '../../src/cache/staging.ts';
import { pathsOpenForWriting } from '../../src/cache/writers.ts';
import { soon } from '../store/bodies.ts';
import { CacheDir, sha256 } from './cache-dir.ts';
import { hangingDatasync } from './datasync.ts';
import { withSpawn } from './with-spawn.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const MiB = 1024 * 1024;
const SMALL = { key: 'k', path: 'blobs/w', size: 1, executable: false, digests: { sha256: sha256('w') } };
const LARGE = { ...SMALL, size: 8 * MiB };
const WHOLE = { start: 0, end: 8 * MiB };
/** What another start does meanwhile. */
const OTHERS: readonly (readonly [string, (dir: CacheDir) => Promise<void>])[] = [
  [
    'clears nothing',
    (dir) => clearLeftovers(dir.path, Date.now(), { wanted: [], present: [LARGE], isRoomNeeded: true }),
  ],
  [
    'goes on with nothing',
    (dir) =>
      withStaged(
        dir.path,
        LARGE,
        ({ found }) => Promise.resolve(assert.equal(found, undefined)),
        () => undefined,
      ),
  ],
];

test('what is filled is closed before it is published', async () => {
  const dir = fresh();
  await withStaged(
    dir.path,
    SMALL,
    async ({ file }) => {
      await file.writeFile('weights');
      return 'filled';
    },
    (path, filled) => {
      assert.equal(filled, 'filled');
      assert.equal(readFileSync(path, 'utf8'), 'weights');
      assert.equal(pathsOpenForWriting().has(path), false);
      renameSync(path, dir.at('published'));
    },
  );
  assert.equal(readFileSync(dir.at('published'), 'utf8'), 'weights');
  assert.deepEqual(leftIn(dir), []);
});

test('nothing is left when the filling or the publishing fails, or nobody takes it', async () => {
  const dir = fresh();
  const fail = (): Promise<never> => Promise.reject(new Error('no'));
  await assert.rejects(
    withStaged(dir.path, SMALL, fail, () => undefined),
    /no/,
  );
  await assert.rejects(
    withStaged(dir.path, LARGE, fail, () => undefined),
    /no/,
  );
  await assert.rejects(
    withStaged(dir.path, SMALL, () => Promise.resolve(), fail),
    /no/,
  );
  await withStaged(
    dir.path,
    SMALL,
    () => Promise.resolve(),
    () => undefined,
  );
  assert.deepEqual(leftIn(dir), []);
});

test('a staged file is in our folder, under a name that tells the file and is nobody else’s', async () => {
  const dir = fresh();
  const names = new Set<string>();
  await Promise.all(
    [1, 2, 3].map(() =>
      withStaged(
        dir.path,
        { ...SMALL, path: `snapshots/c/${'long'.repeat(60)}` },
        ({ path }) => Promise.resolve(names.add(path)),
        () => undefined,
      ),
    ),
  );
  assert.equal(names.size, 3);
  for (const name of names) {
    assert.ok(name.startsWith(dir.at('.model-cache/partial/longlong')));
    assert.doesNotMatch(name, /\.incomplete$/);
  }
});

test('an executable file stays one, as far as the umask lets it', async () => {
  const dir = fresh();
  for (const [executable, mode] of [
    [true, 0o777],
    [false, 0o666],
  ] as const)
    await withStaged(
      dir.path,
      { ...SMALL, executable },
      () => Promise.resolve(),
      (path) => assert.equal(statSync(path).mode & 0o777, mode & ~process.umask()),
    );
});

test('a large file is locked while it is filled', async () => {
  const dir = fresh();
  await withStaged(
    dir.path,
    LARGE,
    async ({ path }) => {
      const other = await open(path, 'r');
      assert.equal(await tryLock(other), 'held');
      await other.close();
    },
    () => undefined,
  );
});

test('only where a power cut could leave holes is a large file to be flushed', async () => {
  const needs = async (dir: CacheDir, object: typeof LARGE): Promise<boolean> => {
    let needsFlush = false;
    const look = (staging: Staging): Promise<void> => {
      ({ needsFlush } = staging);
      return Promise.resolve();
    };
    await withStaged(dir.path, object, look, () => undefined);
    return needsFlush;
  };
  const dir = fresh();
  assert.equal(await needs(dir, LARGE), !isInMemory(dir.path));
  assert.equal(await needs(dir, SMALL), false);
});

test('what fails is kept for the next run when that is wanted, if it is large and something of it is there', async () => {
  const rows = [
    { name: 'wanted', object: LARGE, ranges: [WHOLE], isWanted: true, isKept: true },
    { name: 'not wanted', object: LARGE, ranges: [WHOLE], isWanted: false, isKept: false },
    { name: 'empty', object: LARGE, ranges: [], isWanted: true, isKept: false },
    { name: 'small', object: SMALL, ranges: [WHOLE], isWanted: true, isKept: false },
    {
      name: 'nothing vouches for it',
      object: { ...LARGE, digests: undefined },
      ranges: [WHOLE],
      isWanted: true,
      isKept: false,
    },
  ];
  for (const { name, object, ranges, isWanted, isKept } of rows) {
    const dir = fresh();
    const fill = async ({ journal }: Staging): Promise<never> => {
      await journal?.begin('e');
      for (const range of ranges) await journal?.note(range);
      throw new Error('no');
    };
    await assert.rejects(
      withStaged(
        dir.path,
        object,
        fill,
        () => undefined,
        () => isWanted,
      ),
      /no/,
    );
    const left = leftIn(dir);
    assert.equal(left.length, isKept ? 2 : 0, name);
  }
});

test('what is published leaves no journal', async () => {
  const dir = fresh();
  await withStaged(
    dir.path,
    LARGE,
    async ({ journal }) => {
      await journal?.begin('e');
      await journal?.note(WHOLE);
      assert.equal(leftIn(dir).length, 2);
    },
    (path) => renameSync(path, dir.at('published')),
  );
  assert.deepEqual(leftIn(dir), []);
});

test('a flush that was given up does not keep the file from being published', async (context) => {
  const dir = fresh();
  const asked = await hangingDatasync(context);
  const filled = withStaged(
    dir.path,
    LARGE,
    ({ path }) => new Flusher(20).flush(path, new AbortController().signal),
    (path, isFlushed) => {
      assert.equal(isFlushed, false);
      renameSync(path, dir.at('published'));
    },
  );
  await soon(filled);
  assert.equal(asked.length, 1);
  assert.ok(existsSync(dir.at('published')));
});

test('between its lock and its final name nobody goes on with a file, or clears it', async () => {
  const dir = fresh();
  const publish = async (path: string): Promise<void> => {
    assert.equal(await lockOf(path), 'held');
    assert.ok(existsSync(`${path}.parts`), 'a kill at this moment loses nothing');
    for (const [, doesOther] of OTHERS) await doesOther(dir);
    renameSync(path, dir.at('published'));
  };
  await withStaged(dir.path, LARGE, fillOldFile, publish);
  assert.ok(existsSync(dir.at('published')));
  assert.deepEqual(leftIn(dir), []);
});

for (const [what, doesOther] of OTHERS) {
  test(`a start that looked before the end of a lock, and asked for the lock after it, ${what}`, async (context) => {
    const dir = fresh();
    let staged = '';
    const isFilled = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    const isEnded = Promise.withResolvers<void>();
    const mayPublish = Promise.withResolvers<void>();
    const publishing = withStaged(
      dir.path,
      LARGE,
      async (staging) => {
        await fillOldFile(staging);
        staged = staging.path;
        isFilled.resolve();
        await mayEnd.promise;
      },
      async (path) => {
        isEnded.resolve();
        await mayPublish.promise;
        renameSync(path, dir.at('published'));
      },
    );
    await isFilled.promise;
    // The other start has seen the file with its journal when it opens it to ask for the lock.
    beforeOpen(context, staged, async () => {
      mayEnd.resolve();
      await isEnded.promise;
    });
    await doesOther(dir);
    mayPublish.resolve();
    await publishing;
    assert.ok(existsSync(dir.at('published')));
  });
}

test('what was taken away before it was published is file-changed; a folder that is missing is not', async () => {
  const dir = fresh();
  const publish = (path: string): void => renameSync(path, dir.at('published'));
  await assert.rejects(
    withStaged(dir.path, LARGE, ({ path }) => Promise.resolve(rmSync(path)), publish),
    { code: 'file-changed' },
  );
  await assert.rejects(
    withStaged(
      dir.path,
      LARGE,
      () => Promise.resolve(),
      (path) => renameSync(path, dir.at('no/such/folder')),
    ),
    { code: 'ENOENT' },
  );
  assert.deepEqual(leftIn(dir), []);
});

test('what was filled is not kept when it cannot be published: nobody could go on with it', async () => {
  const dir = fresh();
  const fail = (): Promise<never> => Promise.reject(new Error('no'));
  await assert.rejects(
    withStaged(dir.path, LARGE, fillOldFile, fail, () => true),
    /no/,
  );
  assert.deepEqual(leftIn(dir), []);
});

test('a file that cannot be locked for an unforeseen reason is closed, and does not stay', async (context) => {
  const dir = fresh();
  withSpawn(context, () => ({
    once: () => {
      throw new Error('unforeseen');
    },
  }));
  const staged = withStaged(
    dir.path,
    LARGE,
    () => Promise.resolve(),
    () => undefined,
  );
  await assert.rejects(staged, /unforeseen/);
  assert.deepEqual(leftIn(dir), []);
  const open = [...pathsOpenForWriting()].filter((path) => path.startsWith(dir.path));
  assert.deepEqual(open, []);
});

/** As one that was resumed: all of it was written an hour ago. */
async function fillOldFile({ file, journal }: Staging): Promise<void> {
  await journal?.begin('e');
  await journal?.note(WHOLE);
  const anHourAgo = Date.now() / 1000 - 3600;
  await file.utimes(anHourAgo, anHourAgo);
}

/** Does something the next time that the file is opened. */
function beforeOpen(context: TestContext, path: string, before: () => Promise<void>): void {
  const real = fsPromises.open;
  let isFirst = true;
  context.mock.method(fsPromises, 'open', async (name: string, ...more: [number, number]) => {
    if (name === path && isFirst) {
      isFirst = false;
      await before();
    }
    return real(name, ...more);
  });
  syncBuiltinESMExports();
  context.after(() => {
    context.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

function fresh(): CacheDir {
  return new CacheDir(scratch.path).prepared();
}

function leftIn(dir: CacheDir): readonly string[] {
  return readdirSync(dir.at('.model-cache/partial'));
}

test('a small file is renamed away, or removed when that fails, and told when it was gone', () => {
  const dir = fresh();
  const final = dir.at('final');
  const staged = (): string => smallStagedPath(dir.path, SMALL);
  const made = (path: string): string => {
    writeFileSync(path, 'w');
    return path;
  };
  const paths = [staged(), staged()];
  assert.equal(new Set(paths).size, 2);
  publishSmall(made(paths[0] ?? ''), () => renameSync(paths[0] ?? '', final));
  assert.equal(readFileSync(final, 'utf8'), 'w');

  const why = Object.assign(new Error('no'), { code: 'EACCES' });
  const refuse = (): never => {
    throw why;
  };
  assert.throws(() => publishSmall(made(paths[1] ?? ''), refuse), why);
  assert.equal(existsSync(paths[1] ?? ''), false);
  const gone = staged();
  assert.throws(() => publishSmall(gone, () => renameSync(gone, final)), { code: 'file-changed' });
  const elsewhere = made(staged());
  assert.throws(() => publishSmall(elsewhere, () => renameSync(elsewhere, dir.at('no/folder'))), {
    code: 'ENOENT',
  });
  assert.equal(existsSync(elsewhere), false);
});
