import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { dirInUse, forgetFallback, noteFallback } from '../../src/cache/dir-in-use.ts';
import { CacheDir } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

test('it is the dir with our state, else the first that is there', () => {
  const [first, second] = [newDir(), newDir()];
  const dirs = [scratch.at('nothing'), first.path, second.path];
  assert.equal(dirInUse(dirs, undefined), first.path);
  second.file('.model-cache/state.json', '{}');
  assert.equal(dirInUse(dirs, undefined), second.path);
  assert.equal(dirInUse([scratch.at('nothing')], undefined), undefined);
  assert.equal(existsSync(scratch.at('nothing')), false);
});

test('what a start with these dirs fell back to is, until one takes them again', () => {
  const [dir, fallback] = [newDir(), newDir()];
  dir.file('.model-cache/state.json', '{}');
  noteFallback([dir.path], fallback.path);
  assert.equal(dirInUse([dir.path], fallback.path), fallback.path);
  forgetFallback(fallback.path);
  assert.equal(dirInUse([dir.path], fallback.path), dir.path);
});

test('what a start with other dirs fell back to is not, whatever is there', () => {
  const [dir, fallback] = [newDir(), newDir()];
  fallback.repo();
  noteFallback([scratch.at('another')], fallback.path);
  assert.equal(dirInUse([dir.path], fallback.path), dir.path);
  assert.equal(dirInUse([scratch.at('nothing')], fallback.path), undefined);
});

function newDir(): CacheDir {
  return new CacheDir(scratch.path).prepared();
}
