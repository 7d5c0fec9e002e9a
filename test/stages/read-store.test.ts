import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import { patienceOf } from '../../src/stages/connect.ts';
import { readStore } from '../../src/stages/read-store.ts';
import type { Store } from '../../src/store/store.ts';
import { contextFor } from './context.ts';

const context = contextFor({ store: 'file:///nowhere' });

test('a store that can be opened and not read is closed', async () => {
  const why = new ModelCacheError('store-denied', 'not for you');
  let closed = 0;
  const denyAll = (store: Store): void => {
    store.list = () => {
      throw why;
    };
    store.close = () => (closed += 1);
  };
  await assert.rejects(readStore(context, patienceOf(context), denyAll), why);
  assert.equal(closed, 1);
});

test('so is one of which nothing can be begun', async () => {
  const why = new Error('no thread');
  let closed = 0;
  const fail = (store: Store): void => {
    store.close = () => (closed += 1);
    throw why;
  };
  await assert.rejects(readStore(context, patienceOf(context), fail), why);
  assert.equal(closed, 1);
});

test('one that can be read is for the caller to close', async () => {
  let closed = 0;
  const count = (store: Store): void => {
    store.close = () => (closed += 1);
  };
  const { store } = await readStore(context, patienceOf(context), count);
  assert.equal(closed, 0);
  store.close();
  assert.equal(closed, 1);
});
