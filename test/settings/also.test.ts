import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAlso } from '../../src/settings/also.ts';

test('one more folder is a path below the dir, with a variable if there is one', () => {
  assert.deepEqual(parseAlso('ckpts'), { tree: 'ckpts', variable: undefined });
  assert.deepEqual(parseAlso('./engines/f5/=ENGINE_DIR'), { tree: 'engines/f5', variable: 'ENGINE_DIR' });
});

for (const text of [
  '',
  '.',
  '/abs',
  '../out',
  'a/../../out',
  'hub',
  'xet',
  '.model-cache',
  '.model-cache/partial',
  'modules/x',
  'a=1B',
  'a=B C',
  'a=B=C',
  'hub/.locks',
  'hub/models--a--b/blobs',
  'token',
  'a/token/b',
  'x.tmp/a',
  'hub/blobs',
  'hub/version.txt',
]) {
  test(`'${text}' is no folder to mirror`, () => {
    assert.throws(() => parseAlso(text), { code: 'setting-invalid' });
  });
}
