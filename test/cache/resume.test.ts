import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { after, test } from 'node:test';
import { thisBoot } from '../../src/cache/boot.ts';
import { withStaged, type StagedObject } from '../../src/cache/staging.ts';
import { journalText, type Journal } from '../../src/model/partial.ts';
import { CacheDir, ROOT_ONLY, sha256 } from './cache-dir.ts';
import { withSpawn } from './with-spawn.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const MiB = 1024 * 1024;
const CONTENT = Buffer.alloc(3 * MiB, 'as it was left');
const NAME = sha256('w');
const OBJECT: StagedObject = {
  key: 'the/key',
  path: `blobs/${NAME}`,
  size: 16 * MiB,
  executable: false,
  digests: { sha256: NAME },
};
const LEFT = `.model-cache/partial/${NAME}.killed`;

interface Seen {
  readonly found: Journal | undefined;
  readonly content: Buffer;
  readonly left: readonly string[];
}

test('a run goes on with the file that a killed one has left, under a name of its own', async () => {
  const dir = withPartial({ done: [{ start: 0, end: 3 * MiB }] });
  const { found, content, left } = await stage(dir);
  assert.deepEqual(found?.done, [{ start: 0, end: 3 * MiB }]);
  assert.equal(found.etag, 'e1');
  assert.ok(content.equals(CONTENT));
  assert.equal(left.length, 2);
  assert.ok(left.every((name) => !name.startsWith(`${NAME}.killed`)));
});

test('it leaves nothing behind when it fails, and everything when it is to be kept', async () => {
  const failed = withPartial();
  await assert.rejects(stage(failed, OBJECT, { fails: true }));
  assert.deepEqual(leftIn(failed), []);
  const kept = withPartial();
  await assert.rejects(stage(kept, OBJECT, { fails: true, isKept: true }));
  assert.equal(leftIn(kept).length, 2);
  assert.deepEqual((await stage(kept)).found?.done, [{ start: 0, end: 3 * MiB }]);
});

test('the one with most is taken', async () => {
  const dir = withPartial({ done: [{ start: 0, end: MiB }] });
  addPartial(dir, `${LEFT}2`, { done: [{ start: 0, end: 2 * MiB }] });
  addPartial(dir, `${LEFT}3`, { done: [{ start: MiB, end: 2 * MiB }] });
  assert.deepEqual((await stage(dir)).found?.done, [{ start: 0, end: 2 * MiB }]);
});

test('one whose lock somebody holds is not touched, the next best is taken; once the holder was killed it is free', async () => {
  const dir = withPartial({ done: [{ start: 0, end: 2 * MiB }] });
  addPartial(dir, `${LEFT}2`, { done: [{ start: 0, end: MiB }] });
  const holder = spawn('flock', ['--no-fork', '-x', dir.at(LEFT), 'sh', '-c', 'echo held; exec sleep 300'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  assert.deepEqual((await stage(dir)).found?.done, [{ start: 0, end: MiB }]);
  assert.ok(existsSync(dir.at(LEFT)));
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  assert.deepEqual((await stage(dir)).found?.done, [{ start: 0, end: 2 * MiB }]);
});

test('two that look for the same at once do not both get it', async () => {
  const dir = withPartial();
  const both = await Promise.all([stage(dir), stage(dir)]);
  assert.equal(both.filter(({ found }) => found !== undefined).length, 1);
});

test('where there is no flock nothing is gone on with', async (context) => {
  const dir = withPartial();
  withSpawn(context, () => {
    throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
  });
  assert.equal((await stage(dir)).found, undefined);
  assert.ok(existsSync(dir.at(LEFT)));
});

test('what another machine wrote a moment ago may be being written: flock is not heard everywhere', async () => {
  const dir = withPartial({ boot: 'another' });
  assert.equal((await stage(dir)).found, undefined);
  const anHourAgo = Date.now() / 1000 - 3600;
  for (const name of [LEFT, `${LEFT}.parts`]) utimesSync(dir.at(name), anHourAgo, anHourAgo);
  assert.notEqual((await stage(dir)).found, undefined);
});

const UNFIT: readonly (readonly [string, (dir: CacheDir) => StagedObject | void])[] = [
  ['of another object', () => ({ ...OBJECT, key: 'another' })],
  ['of an object of another size', () => ({ ...OBJECT, size: 17 * MiB })],
  ['of a file that nothing vouches for', () => ({ ...OBJECT, digests: undefined })],
  ['of a file with other rights', () => ({ ...OBJECT, executable: true })],
  ['without a journal', (dir) => rmSync(dir.at(`${LEFT}.parts`))],
  ['whose journal is nonsense', (dir) => void dir.file(`${LEFT}.parts`, 'nonsense\n')],
  [
    'larger than the object, which would be published whole',
    (dir) => void dir.file(LEFT, Buffer.alloc(16 * MiB + 1)),
  ],
  ['that is a link', (dir) => linkAway(dir, LEFT)],
  ['whose journal is a link', (dir) => linkAway(dir, `${LEFT}.parts`)],
  ['that has a second name somewhere', (dir) => linkSync(dir.at(LEFT), dir.at('second'))],
  ['that is a pipe', (dir) => makePipe(dir, LEFT)],
  ['whose journal is a pipe', (dir) => makePipe(dir, `${LEFT}.parts`)],
  [
    'that is a folder',
    (dir) => {
      rmSync(dir.at(LEFT));
      dir.file(`${LEFT}/x`, 'x');
    },
  ],
];
for (const [what, prepare] of UNFIT) {
  test(`a file ${what} is not gone on with`, async () => {
    const dir = withPartial();
    const object = prepare(dir) ?? OBJECT;
    const { found, content } = await stage(dir, object);
    assert.equal(found, undefined);
    assert.equal(content.length, 0);
  });
}

test('a file of somebody else is not gone on with', { skip: ROOT_ONLY }, async () => {
  for (const name of [LEFT, `${LEFT}.parts`]) {
    const dir = withPartial();
    chownSync(dir.at(name), 12_345, 12_345);
    assert.equal((await stage(dir)).found, undefined, name);
  }
});

test('an executable file stays one', async () => {
  const dir = withPartial();
  chmodSync(dir.at(LEFT), 0o755);
  let mode = 0;
  const look = ({ path }: { path: string }): Promise<void> => {
    ({ mode } = statSync(path));
    return Promise.resolve();
  };
  await withStaged(dir.path, { ...OBJECT, executable: true }, look, () => undefined);
  assert.equal(mode & 0o111, 0o111);
});

async function stage(dir: CacheDir, object = OBJECT, { fails = false, isKept = false } = {}): Promise<Seen> {
  let seen: Seen | undefined;
  await withStaged(
    dir.path,
    object,
    async ({ found, path }) => {
      seen = { found, content: readFileSync(path), left: leftIn(dir) };
      await Promise.resolve();
      if (fails) throw new Error('no');
    },
    () => undefined,
    () => isKept,
  );
  assert.ok(seen);
  return seen;
}

function withPartial(journal: Partial<Journal> = {}): CacheDir {
  const dir = new CacheDir(scratch.path).prepared();
  addPartial(dir, LEFT, journal);
  return dir;
}

function addPartial(dir: CacheDir, path: string, journal: Partial<Journal>): void {
  const { key, size } = OBJECT;
  const done = [{ start: 0, end: 3 * MiB }];
  dir.file(path, CONTENT);
  dir.file(`${path}.parts`, journalText({ key, size, etag: 'e1', boot: thisBoot(), done, ...journal }));
}

function linkAway(dir: CacheDir, path: string): void {
  dir.file('elsewhere', readFileSync(dir.at(path)));
  rmSync(dir.at(path));
  dir.link(path, dir.at('elsewhere'));
}

function makePipe(dir: CacheDir, path: string): void {
  rmSync(dir.at(path));
  assert.equal(spawnSync('mkfifo', [dir.at(path)]).status, 0);
}

function leftIn(dir: CacheDir): readonly string[] {
  return readdirSync(dir.at('.model-cache/partial'));
}
