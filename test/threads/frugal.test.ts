import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedDataVersionTag } from 'node:v8';
import {
  beFrugal,
  loadLater,
  threadBegins,
  threadHasBegun,
  threadsHaveBegun,
} from '../../src/threads/frugal.ts';

/** It depends on V8's flags: what was compiled under another one is not taken. */
const usual = cachedDataVersionTag();

beforeEach(() => beFrugal());

test('the flags are usual while any thread begins, and only then', () => {
  const frugal = cachedDataVersionTag();
  assert.notEqual(frugal, usual);
  const first = threadBegins();
  assert.equal(cachedDataVersionTag(), usual);
  const second = threadBegins();
  threadHasBegun(first);
  assert.equal(cachedDataVersionTag(), usual);
  threadHasBegun(second);
  assert.equal(cachedDataVersionTag(), frugal);
});

test('to be frugal twice is to be frugal', () => {
  const begun = threadBegins();
  beFrugal();
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

test('who waits until threads have begun goes on when the last one has', async () => {
  await threadsHaveBegun();
  const [first, second] = [threadBegins(), threadBegins()];
  let isOver = false;
  const over = threadsHaveBegun().then(() => (isOver = true));
  threadHasBegun(first);
  await sleep(20);
  assert.equal(isOver, false);
  threadHasBegun(second);
  await over;
});

test('a thread that never begins keeps nobody waiting for long', async () => {
  const begun = threadBegins();
  await threadsHaveBegun();
  threadHasBegun(begun);
});
