import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { entriesOf, type Page } from '../../src/store/s3-pages.ts';

const LIMITS = { objects: 5000, pages: 50 };

type Ask = (marker: string | undefined) => Promise<Page<string, string>>;

test('every entry of every page, in their order, and each page is told', async () => {
  let pages = 0;
  const ask: Ask = (marker) =>
    Promise.resolve(
      marker === undefined ? { entries: ['a', 'b'], next: 'more' } : { entries: ['c'], next: undefined },
    );
  const all = await Array.fromAsync(entriesOf('s3://b', ask, () => (pages += 1)));
  assert.deepEqual(all, ['a', 'b', 'c']);
  assert.equal(pages, 2);
});

describe('a listing that goes on for ever ends with an error', () => {
  const rows: readonly { name: string; entriesOfPage: number; says: RegExp; token?: string }[] = [
    { name: 'of full pages', entriesOfPage: 1000, says: /longer than a bucket of models/ },
    { name: 'of pages with one entry', entriesOfPage: 1, says: /longer than a bucket of models/ },
    { name: 'of empty pages', entriesOfPage: 0, says: /longer than a bucket of models/ },
    { name: 'of endless tokens', entriesOfPage: 1, says: /longer than any/, token: 'x'.repeat(100_000) },
    { name: 'of the same page', entriesOfPage: 1, says: /same continuation token/, token: 'again' },
  ];
  for (const { name, entriesOfPage, says, token } of rows) {
    test(name, async () => {
      let pages = 0;
      let entries = 0;
      const ask: Ask = () => {
        pages += 1;
        return Promise.resolve({
          entries: Array.from({ length: entriesOfPage }, () => 'key'),
          next: token ?? `token ${pages}`,
        });
      };
      await assert.rejects(
        async () => {
          for await (const entry of entriesOf('s3://b', ask, undefined, LIMITS))
            entries += entry.length > 0 ? 1 : 0;
        },
        { code: 'store-failed', message: says },
      );
      assert.ok(entries <= LIMITS.objects);
      assert.ok(pages <= LIMITS.pages + 1);
    });
  }
});
