import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import type { Store } from '../../src/store/store.ts';
import { chunksOf, contentOf, drain, listed, MiB, soon, throwingAfter } from './bodies.ts';

/** A fresh, empty store, and a look behind it. */
export interface StoreUnderTest {
  readonly store: Store;
  /** What an unfinished upload of `key` has left in the store's own back rooms. */
  readonly leftovers: (key: string) => Promise<readonly string[]>;
}

const PART = 5 * MiB;

/** The contract of every Store. */
export function storeConformance(open: () => Promise<StoreUnderTest>): void {
  describe('list', () => {
    test('an empty store lists nothing, whatever the prefix', async () => {
      const { store } = await open();
      for (const prefix of ['', 'hub/', 'no/such/folder/', 'half-a-na'])
        assert.deepEqual(await listed(store, prefix), []);
    });

    test('a prefix is the beginning of a key, and may end inside a name', async () => {
      const { store } = await open();
      for (const key of ['a/b', 'a/bc', 'a/b2/c', 'a/x', 'ab']) await store.put(key, Buffer.from(key));
      assert.deepEqual(await listed(store, 'a/b'), ['a/b', 'a/b2/c', 'a/bc']);
      assert.deepEqual(await listed(store, 'a/'), ['a/b', 'a/b2/c', 'a/bc', 'a/x']);
      assert.deepEqual(await listed(store, ''), ['a/b', 'a/b2/c', 'a/bc', 'a/x', 'ab']);
    });

    test('more objects than a page holds are all listed, each once', async () => {
      const { store } = await open();
      const keys = Array.from({ length: 1003 }, (_, index) => `many/${String(index).padStart(5, '0')}`);
      for (let at = 0; at < keys.length; at += 64)
        await Promise.all(keys.slice(at, at + 64).map((key) => store.put(key, Buffer.from(key))));
      assert.deepEqual(await listed(store, 'many/'), keys);
    });

    test('an object is listed with the size and the ETag that head and get tell', async () => {
      const { store } = await open();
      await store.put('k', Buffer.from('hello'));
      const [object] = await Array.fromAsync(store.list(''));
      assert.deepEqual(object, await store.head('k'));
      assert.equal(object?.size, 5);
      const body = await store.get('k');
      assert.equal(body.etag, object?.etag);
      await drain(body);
    });
  });

  describe('get', () => {
    test('gives the whole object or exactly the range that was asked for', async () => {
      const { store } = await open();
      const bytes = randomBytes(3 * MiB + 17);
      await store.put('k', bytes);
      const ranges = [undefined, [0, 1], [0, bytes.length], [MiB, 2 * MiB], [bytes.length - 1, bytes.length]];
      for (const range of ranges) {
        const [start = 0, end = bytes.length] = range ?? [];
        const body = await store.get('k', range === undefined ? {} : { range: { start, end } });
        assert.equal(body.objectSize, bytes.length);
        assert.ok((await drain(body)).equals(bytes.subarray(start, end)), `${start}-${end}`);
      }
    });

    test('an empty object is an empty body', async () => {
      const { store } = await open();
      await store.put('empty', Buffer.alloc(0));
      const body = await store.get('empty');
      assert.equal(body.objectSize, 0);
      assert.equal((await drain(body)).length, 0);
    });

    test('an object that is not there is object-missing to get, and undefined to head', async () => {
      const { store } = await open();
      await store.put('folder/file', Buffer.from('x'));
      for (const key of ['nothing', 'no/such/folder', 'folder/file/below', 'folder/fil']) {
        await assert.rejects(soon(store.get(key)), { code: 'object-missing' }, key);
        assert.equal(await store.head(key), undefined, key);
      }
    });

    test('the folder that keys have in common is no object', async () => {
      const { store } = await open();
      await store.put('folder/file', Buffer.from('x'));
      assert.equal(await store.head('folder'), undefined);
      await assert.rejects(async () => drain(await store.get('folder')), { code: 'object-missing' });
    });

    test('a pinned ETag holds while the object does, and is object-changed once it was replaced', async () => {
      const { store } = await open();
      await store.put('k', Buffer.from('before'));
      const { etag = '' } = (await store.head('k')) ?? {};
      assert.equal(String(await drain(await store.get('k', { etag }))), 'before');
      await store.put('k', Buffer.from('after!'));
      await assert.rejects(store.get('k', { etag }), { code: 'object-changed' });
      await assert.rejects(store.get('k', { etag, range: { start: 0, end: 2 } }), { code: 'object-changed' });
    });

    test('a body is of the object whose ETag it has, even when that is replaced before it is read', async () => {
      const { store } = await open();
      const before = Buffer.from('before');
      await store.put('k', before);
      const body = await store.get('k');
      await store.put('k', Buffer.from('after!'));
      const read = await drain(body).catch((error: unknown) => (error as ModelCacheError).code);
      assert.ok(read === 'object-changed' || before.equals(read as Buffer), `read ${String(read)}`);
    });

    test('a range beyond the end is an error, never a short body', async () => {
      const { store } = await open();
      await store.put('k', Buffer.from('short'));
      for (const range of [
        { start: 0, end: 10 },
        { start: 10, end: 20 },
      ])
        await assert.rejects(async () => drain(await store.get('k', { range })), ModelCacheError);
    });

    test('leaving a body early gives its connection back', async () => {
      const { store } = await open();
      await store.put('large', randomBytes(4 * MiB));
      for (let round = 0; round < 40; round += 1) {
        const { chunks } = await soon(store.get('large'));
        for await (const chunk of chunks) {
          assert.ok(chunk.length > 0);
          break;
        }
      }
      assert.equal((await soon(store.head('large')))?.size, 4 * MiB);
    });
  });

  describe('put', () => {
    test('replaces what was there', async () => {
      const { store } = await open();
      await store.put('k', Buffer.from('one'));
      await store.put('k', Buffer.from('other'));
      assert.equal(String(await contentOf(store, 'k')), 'other');
    });

    test('keys may have spaces, percent signs, plus signs and any script', async () => {
      const { store } = await open();
      const keys = [
        'a b/c d',
        '100%/%2F%20',
        'a+b=c&d?e#f',
        'Übung/日本語/🎙.bin',
        "it's (here)!*",
        '.hidden',
      ];
      for (const key of keys) await store.put(key, Buffer.from(key));
      assert.deepEqual(await listed(store, ''), keys.toSorted());
      for (const key of keys) {
        assert.equal(String(await contentOf(store, key)), key);
        assert.equal((await store.head(key))?.size, Buffer.byteLength(key), key);
      }
    });
  });

  describe('putLarge', () => {
    test('an object of many parts has exactly the bytes of its chunks', async () => {
      const { store } = await open();
      const bytes = randomBytes(2 * PART + 12_345);
      await store.putLarge('k', chunksOf(bytes, MiB - 7), { size: bytes.length, partSize: PART });
      assert.ok((await contentOf(store, 'k')).equals(bytes));
    });

    test('a chunk may be larger than a part, and an object as small as nothing', async () => {
      const { store } = await open();
      const bytes = randomBytes(2 * PART);
      await store.putLarge('one chunk', chunksOf(bytes, bytes.length), {
        size: bytes.length,
        partSize: PART,
      });
      assert.ok((await contentOf(store, 'one chunk')).equals(bytes));
      await store.putLarge('small', chunksOf(Buffer.from('x'), 1), { size: 1, partSize: PART });
      assert.equal(String(await contentOf(store, 'small')), 'x');
    });

    for (const [when, sent] of [
      ['at the first byte', 0],
      ['in the middle', PART + MiB],
      ['after the last byte', 2 * PART],
    ] as const) {
      test(`chunks that throw ${when}: their error comes out, no object appears and nothing is left`, async () => {
        const { store, leftovers } = await open();
        const options = { size: 2 * PART, partSize: PART };
        const why = new ModelCacheError('file-digest-differs', 'not what its name says');
        await assert.rejects(soon(store.putLarge('dir/k', throwingAfter(sent, why), options)), {
          code: 'file-digest-differs',
        });
        assert.equal(await store.head('dir/k'), undefined);
        assert.deepEqual(await leftovers('dir/k'), []);
      });
    }

    test('chunks that throw leave the object that was there', async () => {
      const { store } = await open();
      await store.put('k', Buffer.from('before'));
      const chunks = throwingAfter(PART + 1, new Error('no'));
      await assert.rejects(store.putLarge('k', chunks, { size: 2 * PART, partSize: PART }));
      assert.equal(String(await contentOf(store, 'k')), 'before');
    });

    test('an abort in the middle is its reason; no object appears and nothing is left', async () => {
      const { store, leftovers } = await open();
      const stop = new AbortController();
      const why = new ModelCacheError('interrupted', 'stopped');
      async function* chunks(): AsyncGenerator<Buffer> {
        for (let sent = 0; sent < 6 * PART; sent += MiB) {
          if (sent === 3 * PART) stop.abort(why);
          yield randomBytes(MiB);
          await new Promise((turn) => setImmediate(turn));
        }
      }
      const options = { size: 6 * PART, partSize: PART, signal: stop.signal };
      await assert.rejects(soon(store.putLarge('k', chunks(), options)), why);
      assert.equal(await store.head('k'), undefined);
      assert.deepEqual(await leftovers('k'), []);
    });
  });

  test('with a signal that has aborted already, nothing is done', async () => {
    const { store, leftovers } = await open();
    await store.put('there', Buffer.from('x'));
    const signal = AbortSignal.abort(new ModelCacheError('interrupted', 'stopped'));
    await assert.rejects(soon(store.put('k', Buffer.from('x'), signal)));
    const large = { size: 2 * PART, partSize: PART, signal };
    await assert.rejects(soon(store.putLarge('l', chunksOf(randomBytes(2 * PART), MiB), large)));
    await assert.rejects(soon(Array.fromAsync(store.list('', signal))));
    await assert.rejects(async () => drain(await soon(store.get('there', { signal }))));
    assert.deepEqual(await listed(store, ''), ['there']);
    assert.deepEqual(await leftovers('l'), []);
  });
}
