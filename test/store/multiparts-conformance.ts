import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import type { Multiparts, OpenUpload, PartToSend, SentPart, Store } from '../../src/store/store.ts';
import { chunksOf, contentOf, MiB, soon, throwingAfter } from './bodies.ts';

/** A fresh, empty store that takes parts. */
export interface MultipartsUnderTest {
  readonly store: Store;
  readonly multiparts: Multiparts;
}

const PART = 5 * MiB;
const LAST = 12_345;

/** The contract of every Multiparts. */
export function multipartsConformance(open: () => Promise<MultipartsUnderTest>): void {
  describe('list', () => {
    test('an upload is listed from its creation to its end, with the time of its beginning', async () => {
      const { multiparts } = await open();
      assert.deepEqual(await multiparts.list('k'), []);
      const upload = await multiparts.create('k');
      assert.equal(upload.key, 'k');
      assert.ok(Math.abs(upload.initiated - Date.now()) < 10_000, String(upload.initiated));
      const [found, ...more] = await multiparts.list('k');
      assert.deepEqual(more, []);
      assert.equal(found?.id, upload.id);
      assert.equal(found?.key, 'k');
      assert.ok(Math.abs((found?.initiated ?? 0) - upload.initiated) < 2000);
      await multiparts.abort(upload);
      assert.deepEqual(await multiparts.list('k'), []);
    });

    test('only those of exactly this key, also where keys begin alike', async () => {
      const { multiparts } = await open();
      const keys = ['hub/a', 'hub/ab', 'hub/a/b', 'hub/A', 'hub', 'other/hub/a'];
      const ids = new Map<string, string>();
      for (const key of keys) ids.set(key, (await multiparts.create(key)).id);
      for (const key of keys)
        assert.deepEqual(
          (await multiparts.list(key)).map(({ id }) => id),
          [ids.get(key)],
        );
      for (const key of ['hub/', 'hub/a/', 'h']) assert.deepEqual(await multiparts.list(key), []);
    });

    test('keys may have spaces, percent signs, plus signs and any script', async () => {
      const { store, multiparts } = await open();
      for (const key of ['a b/c d', '100%/%2F%20', 'a+b=c&d?e#f', 'Übung/日本語/🎙.bin', "it's (<here>)!*"]) {
        const upload = await multiparts.create(key);
        assert.deepEqual(
          (await multiparts.list(key)).map(({ id }) => id),
          [upload.id],
          key,
        );
        await multiparts.putPart(upload, partOf(1, Buffer.from(key)));
        await multiparts.complete(upload, await multiparts.parts(upload));
        assert.equal(String(await contentOf(store, key)), key);
      }
    });

    test('of several uploads of one key, the oldest is known by its beginning', async () => {
      const { multiparts } = await open();
      const created: OpenUpload[] = [];
      for (let round = 0; round < 3; round += 1) {
        created.push(await multiparts.create('k'));
        await sleep(20);
      }
      const found = (await multiparts.list('k')).toSorted((a, b) => a.initiated - b.initiated);
      assert.deepEqual(
        found.map(({ id }) => id),
        created.map(({ id }) => id),
      );
    });
  });

  describe('parts', () => {
    test('they come in any order, from anybody, and the object is made of them in the order of their numbers', async () => {
      const { store, multiparts } = await open();
      const bytes = randomBytes(2 * PART + LAST);
      const upload = await multiparts.create('k');
      const [found] = await multiparts.list('k');
      assert.ok(found !== undefined);
      for (const number of [3, 1, 2]) {
        const part = partOf(number, bytes.subarray((number - 1) * PART, number * PART));
        assert.equal(await multiparts.putPart(number === 1 ? upload : found, part), part.md5);
      }
      const parts = await multiparts.parts(upload);
      assert.deepEqual(
        parts.map(({ number, size }) => [number, size]),
        [
          [1, PART],
          [2, PART],
          [3, LAST],
        ],
      );
      for (const { etag, modified } of parts) {
        assert.match(etag, /^[0-9a-f]{32}$/);
        assert.ok(Math.abs(modified - Date.now()) < 10_000, String(modified));
      }
      assert.equal(await store.head('k'), undefined);
      await multiparts.complete(upload, parts.toReversed());
      assert.ok((await contentOf(store, 'k')).equals(bytes));
      assert.deepEqual(await multiparts.list('k'), []);
    });

    test('what was under a number is replaced', async () => {
      const { store, multiparts } = await open();
      const upload = await multiparts.create('k');
      await multiparts.putPart(upload, partOf(1, Buffer.from('before')));
      const etag = await multiparts.putPart(upload, partOf(1, Buffer.from('after')));
      const parts = await multiparts.parts(upload);
      assert.deepEqual(
        parts.map(({ number, size, etag }) => ({ number, size, etag })),
        [{ number: 1, size: 5, etag }],
      );
      await multiparts.complete(upload, parts);
      assert.equal(String(await contentOf(store, 'k')), 'after');
    });

    test('a part may be empty', async () => {
      const { store, multiparts } = await open();
      const upload = await multiparts.create('k');
      await multiparts.putPart(upload, partOf(1, Buffer.alloc(0)));
      await multiparts.complete(upload, await multiparts.parts(upload));
      assert.equal((await contentOf(store, 'k')).length, 0);
    });

    test('another content than its MD5 says is refused, and nothing of it is kept', async () => {
      const { multiparts } = await open();
      const upload = await multiparts.create('k');
      const part = { ...partOf(1, randomBytes(MiB)), md5: md5Of(Buffer.from('another')) };
      await assert.rejects(soon(multiparts.putPart(upload, part)), { code: 'object-digest-differs' });
      assert.deepEqual(await multiparts.parts(upload), []);
    });

    for (const [when, sent] of [
      ['at the first byte', 0],
      ['in the middle', 3 * MiB],
      ['after the last byte', PART],
    ] as const) {
      test(`chunks that throw ${when}: their error comes out, and nothing of the part is kept`, async () => {
        const { multiparts } = await open();
        const upload = await multiparts.create('k');
        const why = new ModelCacheError('file-changed', 'it is another file now');
        const part = {
          number: 1,
          size: PART,
          md5: md5Of(Buffer.alloc(0)),
          chunks: () => throwingAfter(sent, why),
        };
        await assert.rejects(soon(multiparts.putPart(upload, part)), why);
        assert.deepEqual(await multiparts.parts(upload), []);
        await multiparts.putPart(upload, partOf(1, Buffer.from('x')));
      });
    }

    for (const [what, length] of [
      ['fewer', PART - 1],
      ['more', PART + 1],
    ] as const) {
      test(`${what} bytes than announced are an error at once, and no part`, async () => {
        const { multiparts } = await open();
        const upload = await multiparts.create('k');
        const part = { ...partOf(1, randomBytes(length)), size: PART };
        await assert.rejects(soon(multiparts.putPart(upload, part)), { wanted: `${PART} bytes` });
        assert.deepEqual(await multiparts.parts(upload), []);
      });
    }

    test('an abort in the middle is its reason, the chunks are left, and nothing of the part is kept', async () => {
      const { multiparts } = await open();
      const upload = await multiparts.create('k');
      const stop = new AbortController();
      const why = new ModelCacheError('interrupted', 'stopped');
      let isLeft = false;
      async function* chunks(): AsyncGenerator<Buffer> {
        try {
          for (let sent = 0; sent < PART; sent += MiB) {
            if (sent === 3 * MiB) stop.abort(why);
            yield randomBytes(MiB);
          }
        } finally {
          isLeft = true;
        }
      }
      const part = { number: 1, size: PART, md5: md5Of(Buffer.alloc(0)), chunks };
      await assert.rejects(soon(multiparts.putPart(upload, part, stop.signal)), why);
      await soon(until(() => isLeft));
      assert.deepEqual(await multiparts.parts(upload), []);
    });

    test('an abort does not wait for chunks that do not come', async () => {
      const { multiparts } = await open();
      const upload = await multiparts.create('k');
      const stop = new AbortController();
      async function* chunks(): AsyncGenerator<Buffer> {
        yield randomBytes(MiB);
        await new Promise(() => undefined);
      }
      const part = { number: 1, size: PART, md5: md5Of(Buffer.alloc(0)), chunks };
      const why = new Error('stopped');
      const sending = multiparts.putPart(upload, part, stop.signal);
      setTimeout(() => stop.abort(why), 50);
      await assert.rejects(soon(sending, 2000), why);
    });
  });

  describe('complete', () => {
    test('parts that were sent but not named are not of the object', async () => {
      const { store, multiparts } = await open();
      const upload = await multiparts.create('k');
      const bytes = randomBytes(PART);
      await multiparts.putPart(upload, partOf(1, bytes));
      await multiparts.putPart(upload, partOf(2, Buffer.from('the end')));
      await multiparts.putPart(upload, partOf(3, Buffer.from('not this')));
      const parts = await multiparts.parts(upload);
      await multiparts.complete(
        upload,
        parts.filter(({ number }) => number < 3),
      );
      assert.ok((await contentOf(store, 'k')).equals(Buffer.concat([bytes, Buffer.from('the end')])));
    });

    test('a part that is not there, or is another one, is object-part-invalid, and the upload goes on', async () => {
      const { store, multiparts } = await open();
      const upload = await multiparts.create('k');
      await multiparts.putPart(upload, partOf(1, Buffer.from('x')));
      const [sent] = await multiparts.parts(upload);
      assert.ok(sent !== undefined);
      const wrong: readonly (readonly SentPart[])[] = [
        [{ ...sent, number: 2 }],
        [{ ...sent, etag: md5Of(Buffer.from('y')) }],
      ];
      for (const parts of wrong)
        await assert.rejects(soon(multiparts.complete(upload, parts)), { code: 'object-part-invalid' });
      assert.equal(await store.head('k'), undefined);
      await multiparts.complete(upload, [sent]);
      assert.equal(String(await contentOf(store, 'k')), 'x');
    });

    test('a small part before the last is an error of the store that says so', async () => {
      const { multiparts } = await open();
      const upload = await multiparts.create('k');
      for (const number of [1, 2]) await multiparts.putPart(upload, partOf(number, Buffer.from('small')));
      await assert.rejects(soon(multiparts.complete(upload, await multiparts.parts(upload))), {
        code: 'store-failed',
        message: /smaller/,
      });
    });

    test('what was there before is replaced', async () => {
      const { store, multiparts } = await open();
      await store.put('k', Buffer.from('before'));
      const upload = await multiparts.create('k');
      await multiparts.putPart(upload, partOf(1, Buffer.from('after')));
      assert.equal(String(await contentOf(store, 'k')), 'before');
      await multiparts.complete(upload, await multiparts.parts(upload));
      assert.equal(String(await contentOf(store, 'k')), 'after');
    });

    test('of two that complete at once, at least one succeeds, and the object is whole', async () => {
      const { store, multiparts } = await open();
      const bytes = randomBytes(PART + LAST);
      const upload = await multiparts.create('k');
      await multiparts.putPart(upload, partOf(1, bytes.subarray(0, PART)));
      await multiparts.putPart(upload, partOf(2, bytes.subarray(PART)));
      const parts = await multiparts.parts(upload);
      const outcomes = await Promise.allSettled([1, 2].map(() => multiparts.complete(upload, parts)));
      assert.ok(outcomes.some(({ status }) => status === 'fulfilled'));
      for (const outcome of outcomes)
        if (outcome.status === 'rejected')
          assert.equal((outcome.reason as ModelCacheError).code, 'object-upload-gone');
      assert.ok((await contentOf(store, 'k')).equals(bytes));
    });
  });

  for (const [how, end] of [
    ['aborted', (multiparts: Multiparts, upload: OpenUpload) => multiparts.abort(upload)],
    ['completed', async (multiparts, upload) => multiparts.complete(upload, await multiparts.parts(upload))],
  ] as readonly (readonly [string, (multiparts: Multiparts, upload: OpenUpload) => Promise<void>])[]) {
    test(`an upload that was ${how} is gone for everybody else`, async () => {
      const { store, multiparts } = await open();
      const upload = await multiparts.create('k');
      await multiparts.putPart(upload, partOf(1, Buffer.from('x')));
      const parts = await multiparts.parts(upload);
      await end(multiparts, upload);
      const gone = { code: 'object-upload-gone' };
      await assert.rejects(soon(multiparts.putPart(upload, partOf(2, randomBytes(PART)))), gone);
      await assert.rejects(soon(multiparts.parts(upload)), gone);
      await assert.rejects(soon(multiparts.complete(upload, parts)), gone);
      await soon(multiparts.abort(upload));
      assert.equal((await store.head('k'))?.size, how === 'completed' ? 1 : undefined);
    });
  }

  test('with a signal that has aborted already, its reason comes out and nothing is done', async () => {
    const { store, multiparts } = await open();
    const upload = await multiparts.create('k');
    await multiparts.putPart(upload, partOf(1, Buffer.from('x')));
    const parts = await multiparts.parts(upload);
    const why = new ModelCacheError('interrupted', 'stopped');
    const signal = AbortSignal.abort(why);
    await assert.rejects(soon(multiparts.list('k', signal)), why);
    await assert.rejects(soon(multiparts.create('k', signal)), why);
    await assert.rejects(soon(multiparts.parts(upload, signal)), why);
    await assert.rejects(soon(multiparts.putPart(upload, partOf(2, Buffer.from('y')), signal)), why);
    await assert.rejects(soon(multiparts.complete(upload, parts, signal)), why);
    await assert.rejects(soon(multiparts.abort(upload, signal)), why);
    assert.equal((await multiparts.list('k')).length, 1);
    assert.equal((await multiparts.parts(upload)).length, 1);
    assert.equal(await store.head('k'), undefined);
  });
}

export function partOf(number: number, bytes: Buffer): PartToSend {
  return { number, size: bytes.length, md5: md5Of(bytes), chunks: () => chunksOf(bytes, MiB) };
}

export function md5Of(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}
