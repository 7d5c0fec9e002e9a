import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import type { StoredObject } from '../../src/store/store.ts';
import { wholeListing } from '../../src/store/whole-listing.ts';
import { storeOf } from './one-bucket.ts';

test('everything below a prefix', async () => {
  const store = storeOf(new Map(['a/1', 'a/2', 'b/1'].map((key) => [key, Buffer.from(key)])));
  const objects = await wholeListing(store, 'a/');
  assert.deepEqual(
    objects.map(({ key }) => key),
    ['a/1', 'a/2'],
  );
});

test('more objects than a bucket of models has are an error, and are not kept', async () => {
  let given = 0;
  function* endless(): Generator<StoredObject> {
    for (;;) yield { key: `k${(given += 1)}`, size: 1, etag: '' };
  }
  await assert.rejects(
    wholeListing(storeOf(new Map(), endless()), '', undefined, { objects: 1000, pages: 1 }),
    {
      code: 'store-failed',
      hint: /longer prefix/,
    },
  );
  assert.ok(given <= 1001);
});

test('keys that fill the memory are an error long before it is full', async () => {
  let bytes = 0;
  function* long(): Generator<StoredObject> {
    for (let count = 0; ; count += 1) {
      const key = `${count}`.padEnd(1_000_000, 'k');
      bytes += key.length;
      yield { key, size: 1, etag: '' };
    }
  }
  await assert.rejects(wholeListing(storeOf(new Map(), long()), ''), { code: 'store-failed' });
  assert.ok(bytes < getHeapStatistics().heap_size_limit / 8);
});
