import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listingOf } from '../../../bench/stores/canned-listing.ts';

test('a listing has what is below the prefix, in the order of keys, encoded', () => {
  const modified = new Date(0);
  const objects = ['b/z', 'a/2%2F', 'a/1 1'].map((key) => ({ key, size: 7, etag: '"e"', modified }));
  const listing = listingOf('bucket', 'a/', objects);
  assert.deepEqual(
    [...listing.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key),
    ['a/1%201', 'a/2%252F'],
  );
  assert.match(listing, /<KeyCount>2<\/KeyCount>.*<IsTruncated>false</);
  assert.match(listing, /<ETag>&quot;e&quot;<\/ETag><Size>7<\/Size>/);
});
