import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelCacheError, toModelCacheError } from '../../src/errors.ts';
import { folderError } from '../../src/store/folder-errors.ts';

const URL = 'file:///volume';

for (const errno of ['EMFILE', 'ENFILE', 'ENODEV', 'EBUSY', 'EIO', 'ESTALE', 'ELOOP', 'EEXIST', 'ENOSPC'])
  test(`${errno} is what the store fails with, and not one file after the other`, () => {
    const error = folderError(answered(errno), URL);
    const { code, message } = toModelCacheError(error);
    assert.deepEqual([code, message], ['store-failed', `file:///volume: ${errno}: so it is`]);
  });

for (const errno of ['EFBIG', 'ENAMETOOLONG'])
  test(`${errno} is about one file, and the others are sent`, () => {
    const error = answered(errno);
    assert.equal(folderError(error, URL), error);
  });

test('what this user has no right to is denied', () => {
  assert.equal(toModelCacheError(folderError(answered('EACCES'), URL)).code, 'store-denied');
});

test('what is one of ours, and a bug, stays what it is', () => {
  for (const error of [new ModelCacheError('disk-full', 'of another disk'), new TypeError('no function')])
    assert.equal(folderError(error, URL), error);
});

function answered(code: string): Error {
  return Object.assign(new Error(`${code}: so it is`), { code });
}
