import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { thisBoot } from '../../src/cache/boot.ts';
import { bytesLeftBehind, clearLeftovers } from '../../src/cache/leftovers.ts';
import { journalText } from '../../src/model/partial.ts';
import { CacheDir } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const HOUR = 3_600_000;
const WANTED = { key: 'k', size: 100_000 };
const NOTHING = { wanted: [], present: [], isRoomNeeded: false };

test('leftovers are cleared when they are old, and stay while they are young', async () => {
  const dir = fresh();
  const old = leftover(dir, 'old', 2 * HOUR);
  const young = leftover(dir, 'young', 0);
  await clear(dir);
  assert.deepEqual([existsSync(old), existsSync(young)], [false, true]);
});

test('an old one that a living process has locked stays, and goes once that was killed', async () => {
  const dir = fresh();
  const path = leftover(dir, 'locked', 2 * HOUR);
  const holder = spawn('flock', ['--no-fork', '-x', path, 'sh', '-c', 'echo held; exec sleep 300'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  await clear(dir);
  assert.equal(existsSync(path), true);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await clear(dir);
  assert.equal(existsSync(path), false);
});

test('a clock that was set back clears nothing', async () => {
  const dir = fresh();
  const path = leftover(dir, 'from the future', -2 * HOUR);
  await clear(dir);
  assert.equal(existsSync(path), true);
});

test('what is no file of ours in there does not stop the clearing', async () => {
  const dir = fresh();
  dir.file('.model-cache/partial/a-folder/x', 'x');
  utimesSync(dir.at('.model-cache/partial/a-folder'), 1, 1);
  dir.link('.model-cache/partial/dangling', 'nothing');
  const old = leftover(dir, 'old', 2 * HOUR);
  await clear(dir);
  assert.equal(existsSync(old), false);
});

test('a planted link is not followed when leftovers are cleared', async () => {
  const dir = fresh();
  dir.file('precious', 'x');
  utimesSync(dir.at('precious'), 1, 1);
  dir.link('.model-cache/partial/planted', '../../precious');
  await clear(dir);
  assert.equal(readFileSync(dir.at('precious'), 'utf8'), 'x');
});

test('a file goes with its journal; what is wanted stays with it', async () => {
  const dir = fresh();
  const [best, other] = [partial(dir, 'w.1', 50_000), partial(dir, 'w.2', 20_000)];
  await clearLeftovers(dir.path, Date.now(), { ...NOTHING, wanted: [WANTED] });
  assert.deepEqual([existsSync(best), existsSync(other)], [true, false]);
  assert.deepEqual(readdirSync(dir.at('.model-cache/partial')).toSorted(), ['w.1', 'w.1.parts']);
  await clearLeftovers(dir.path, Date.now(), { ...NOTHING, isRoomNeeded: true });
  assert.deepEqual(readdirSync(dir.at('.model-cache/partial')), []);
});

test('a journal that has lost its file goes when it is old', async () => {
  const dir = fresh();
  const [old, young] = [leftover(dir, 'a.parts', 2 * HOUR), leftover(dir, 'b.parts', 0)];
  await clear(dir);
  assert.deepEqual([existsSync(old), existsSync(young)], [false, true]);
});

test('what can be gone on with, or goes, counts as free by what it takes on the disk', async () => {
  const dir = fresh();
  partial(dir, 'w.1', 50_000);
  leftover(dir, 'young', 0);
  const bytes = await bytesLeftBehind(dir.path, Date.now());
  assert.ok(bytes >= 50_000 && bytes < 100_000, String(bytes));
  assert.equal(await bytesLeftBehind(scratch.at('not-there'), Date.now()), 0);
});

test('a journal that somebody else could have made leads to nothing', async () => {
  const dir = fresh();
  partial(dir, 'w.1', 50_000);
  rmSync(dir.at('.model-cache/partial/w.1.parts'));
  dir.file('elsewhere', journalOf(50_000));
  dir.link('.model-cache/partial/w.1.parts', '../../elsewhere');
  assert.equal(await bytesLeftBehind(dir.path, Date.now()), 0);
});

function clear(dir: CacheDir): Promise<void> {
  return clearLeftovers(dir.path, Date.now(), NOTHING);
}

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

/** As a run leaves it that was killed after so many bytes of the wanted object. */
function partial(dir: CacheDir, name: string, bytes: number): string {
  dir.file(`.model-cache/partial/${name}`, Buffer.alloc(bytes, 'x'));
  dir.file(`.model-cache/partial/${name}.parts`, journalOf(bytes));
  return dir.at(`.model-cache/partial/${name}`);
}

function journalOf(bytes: number): string {
  return journalText({ ...WANTED, etag: 'e', boot: thisBoot(), done: [{ start: 0, end: bytes }] });
}
