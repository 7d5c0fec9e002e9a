import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, utimesSync } from 'node:fs';
import { after, test } from 'node:test';
import { dirInUse } from '../../src/cache/dir-in-use.ts';
import { asUser, CacheDir, ROOT_ONLY } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const SOMEBODY = 54_321;

test('without a start before, it is the dir with our state, else the first that is there', () => {
  const [first, second] = [newDir(), newDir().prepared()];
  const dirs = [scratch.at('nothing'), first.path, second.path];
  assert.equal(dirInUse(dirs), first.path);
  second.file('.model-cache/state.json', '{}');
  assert.equal(dirInUse(dirs), second.path);
  assert.equal(dirInUse([scratch.at('nothing')]), undefined);
  assert.equal(existsSync(scratch.at('nothing')), false);
});

test('else it is the one that the last start has given to its server, also one that it fell back to', () => {
  const [first, second, fallback] = [newDir(), newDir(), newDir()];
  startIn(first, 1000);
  startIn(second, 2000);
  assert.equal(dirInUse([first.path, second.path], [fallback.path]), second.path);
  startIn(fallback, 3000);
  assert.equal(dirInUse([first.path, second.path], [fallback.path]), fallback.path);
  startIn(first, 4000);
  assert.equal(dirInUse([first.path, second.path], [fallback.path]), first.path);
});

test('one that is there by now, and that no start has used, comes before what one fell back to', () => {
  const [byHand, fallback] = [newDir(), newDir()];
  startIn(fallback, 1000);
  assert.equal(dirInUse([scratch.at('nothing')], [fallback.path]), fallback.path);
  assert.equal(dirInUse([byHand.path], [fallback.path]), byHand.path);
});

test('a fallback of which no start has made use does not count, whatever is there', () => {
  const fallback = newDir();
  fallback.repo();
  assert.equal(dirInUse([scratch.at('nothing')], [fallback.path]), undefined);
});

test('one below a folder that this user may not look into is passed over', { skip: ROOT_ONLY }, () => {
  const [parent, second] = [newDir(), newDir()];
  const dirs = [parent.at('models'), second.path];
  mkdirSync(parent.at('models'));
  chmodSync(scratch.path, 0o755);
  chownSync(second.path, SOMEBODY, SOMEBODY);
  assert.equal(dirInUse(dirs), parent.at('models'));
  assert.equal(
    asUser(SOMEBODY, () => dirInUse(dirs)),
    second.path,
  );
});

function newDir(): CacheDir {
  return new CacheDir(scratch.path);
}

/** `second` of 1970. */
function startIn(dir: CacheDir, second: number): void {
  dir.file('.model-cache/env', 'export HF_HOME=...');
  utimesSync(dir.at('.model-cache/env'), second, second);
}
