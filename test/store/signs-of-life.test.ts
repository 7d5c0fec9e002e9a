import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withSigns } from '../../src/store/signs-of-life.ts';
import type { Store } from '../../src/store/store.ts';
import { contentOf, MiB } from './bodies.ts';
import { storeOf, type Content } from './one-bucket.ts';

test('each page is a sign, and so is each whole body', async () => {
  const { store, signs } = telling({ a: Buffer.from('a'), b: Buffer.from('b') });
  await Array.fromAsync(store.list(''));
  assert.equal(signs(), 2);
  await contentOf(store, 'a');
  assert.equal(signs(), 3);
});

test('of a large body, each MiB is one', async () => {
  const { store, signs } = telling({ large: Buffer.alloc(5 * MiB) });
  await contentOf(store, 'large');
  assert.equal(signs(), 6);
});

test('a body that drips is none until it is whole', async () => {
  const { store, signs } = telling({ large: Buffer.alloc(MiB - 1) });
  const { chunks } = await store.get('large');
  let seen = 0;
  for await (const chunk of chunks) {
    assert.equal(signs(), 0);
    seen += chunk.length;
  }
  assert.deepEqual([seen, signs()], [MiB - 1, 1]);
});

test('what fails is none', async () => {
  const { store, signs } = telling({});
  await assert.rejects(store.get('nothing'), { code: 'object-missing' });
  assert.equal(signs(), 0);
});

test('who asks for pages is told of them, too', async () => {
  const { store, signs } = telling({ a: Buffer.from('a') });
  let pages = 0;
  await Array.fromAsync(store.list('', undefined, () => (pages += 1)));
  assert.deepEqual([pages, signs()], [1, 1]);
});

function telling(contents: Record<string, Content>): { readonly store: Store; readonly signs: () => number } {
  let signs = 0;
  const store = withSigns(storeOf(new Map(Object.entries(contents))), () => (signs += 1));
  return { store, signs: () => signs };
}
