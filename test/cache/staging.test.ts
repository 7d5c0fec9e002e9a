import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { after, test } from 'node:test';
import { tryLock } from '../../src/cache/flock.ts';
import { clearLeftovers, withStaged } from '../../src/cache/staging.ts';
import { pathsOpenForWriting } from '../../src/cache/writers.ts';
import { CacheDir } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const MiB = 1024 * 1024;
const HOUR = 3_600_000;
const SMALL = { path: 'blobs/w', size: 1, executable: false };
const LARGE = { path: 'blobs/w', size: 8 * MiB, executable: false };

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

test('leftovers are cleared when they are old, and stay while they are young', async () => {
  const dir = fresh();
  const old = leftover(dir, 'old', 2 * HOUR);
  const young = leftover(dir, 'young', 0);
  await clearLeftovers(dir.path, Date.now());
  assert.deepEqual([existsSync(old), existsSync(young)], [false, true]);
});

test('an old one that a living process has locked stays, and goes once that was killed', async () => {
  const dir = fresh();
  const path = leftover(dir, 'locked', 2 * HOUR);
  const holder = spawn('flock', ['--no-fork', '-x', path, 'sh', '-c', 'echo held; exec sleep 300'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  await clearLeftovers(dir.path, Date.now());
  assert.equal(existsSync(path), true);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await clearLeftovers(dir.path, Date.now());
  assert.equal(existsSync(path), false);
});

test('a clock that was set back clears nothing', async () => {
  const dir = fresh();
  const path = leftover(dir, 'from the future', -2 * HOUR);
  await clearLeftovers(dir.path, Date.now());
  assert.equal(existsSync(path), true);
});

test('what is no file of ours in there does not stop the clearing', async () => {
  const dir = fresh();
  dir.file('.model-cache/partial/a-folder/x', 'x');
  utimesSync(dir.at('.model-cache/partial/a-folder'), 1, 1);
  dir.link('.model-cache/partial/dangling', 'nothing');
  const old = leftover(dir, 'old', 2 * HOUR);
  await clearLeftovers(dir.path, Date.now());
  assert.equal(existsSync(old), false);
});

test('a planted link is not followed when leftovers are cleared', async () => {
  const dir = fresh();
  dir.file('precious', 'x');
  utimesSync(dir.at('precious'), 1, 1);
  dir.link('.model-cache/partial/planted', '../../precious');
  await clearLeftovers(dir.path, Date.now());
  assert.equal(readFileSync(dir.at('precious'), 'utf8'), 'x');
});

function fresh(): CacheDir {
  return new CacheDir(scratch.path).prepared();
}

function leftover(dir: CacheDir, name: string, age: number): string {
  const path = dir.at(`.model-cache/partial/${name}`);
  writeFileSync(path, 'half');
  const time = (Date.now() - age) / 1000;
  utimesSync(path, time, time);
  return path;
}

function leftIn(dir: CacheDir): readonly string[] {
  return readdirSync(dir.at('.model-cache/partial'));
}
