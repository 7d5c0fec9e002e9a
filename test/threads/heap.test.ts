import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { cachedDataVersionTag } from 'node:v8';
import { keepHeapSmall, loadLater, threadBegins, threadHasBegun } from '../../src/threads/heap.ts';

/** It depends on V8's flags: what was compiled under another one is not taken. */
const usual = cachedDataVersionTag();

beforeEach(() => keepHeapSmall());

test('the flags are usual while any thread begins, and only then', () => {
  const small = cachedDataVersionTag();
  assert.notEqual(small, usual);
  const first = threadBegins();
  assert.equal(cachedDataVersionTag(), usual);
  const second = threadBegins();
  threadHasBegun(first);
  assert.equal(cachedDataVersionTag(), usual);
  threadHasBegun(second);
  assert.equal(cachedDataVersionTag(), small);
});

test('to be kept small twice is to be kept small', () => {
  const begun = threadBegins();
  keepHeapSmall();
  threadHasBegun(begun);
  assert.notEqual(cachedDataVersionTag(), usual);
});

test('what is loaded later is loaded under the usual flags, and they do not stay', () => {
  assert.equal(loadLater(cachedDataVersionTag), usual);
  assert.throws(
    () =>
      loadLater(() => {
        throw new Error('not there');
      }),
    { message: 'not there' },
  );
  assert.notEqual(cachedDataVersionTag(), usual);
});
