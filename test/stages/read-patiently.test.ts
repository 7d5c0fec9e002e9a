import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError } from '../../src/errors.ts';
import { readPatiently } from '../../src/stages/read-patiently.ts';
import type { Store, StoredObject } from '../../src/store/store.ts';
import type { Patience } from '../../src/transfer/watchdog.ts';
import { soon } from '../store/bodies.ts';
import { bodyOf, storeOf } from '../store/one-bucket.ts';

const NEVER = new AbortController().signal;
const STALL = 300;

test('pages that keep coming may take longer together than the store may be silent', async () => {
  async function* pages(): AsyncGenerator<StoredObject> {
    for (let page = 0; page < 8; page += 1) {
      await sleep(STALL / 4);
      yield { key: `k${page}`, size: 1, etag: '' };
    }
  }
  const read = (store: Store): Promise<unknown[]> => Array.fromAsync(store.list(''));
  const objects = await readPatiently(storeOf(new Map(), pages()), patience(STALL), NEVER, read);
  assert.equal(objects.length, 8);
});

test('a page that does not come is store-stalled', async () => {
  async function* silence(): AsyncGenerator<StoredObject> {
    await sleep(60_000, undefined, { ref: false });
    yield { key: 'too late', size: 1, etag: '' };
  }
  const read = (store: Store): Promise<unknown[]> => Array.fromAsync(store.list(''));
  await assert.rejects(soon(readPatiently(storeOf(new Map(), silence()), patience(STALL), NEVER, read)), {
    code: 'store-stalled',
    message: /--stall/,
  });
});

test('an object that drips is store-stalled', async () => {
  const store = storeOf(new Map([['k', () => ({ ...bodyOf(Buffer.alloc(1000)), chunks: drops() })]]));
  const read = async (store: Store): Promise<void> => {
    for await (const chunk of (await store.get('k')).chunks) assert.equal(chunk.length, 1);
  };
  await assert.rejects(soon(readPatiently(store, patience(STALL), NEVER, read)), { code: 'store-stalled' });
});

test('a store that gives a sign now and then, and comes to no end, is given up too', async () => {
  async function* endless(): AsyncGenerator<StoredObject> {
    for (;;) {
      await sleep(5, undefined, { ref: false });
      yield { key: 'k', size: 1, etag: '' };
    }
  }
  const read = (store: Store): Promise<unknown[]> => Array.fromAsync(store.list(''));
  await assert.rejects(soon(readPatiently(storeOf(new Map(), endless()), patience(50), NEVER, read)), {
    code: 'store-slow',
    hint: /--stall/,
  });
});

test('with a stall of 0 it may take for ever, and a stop ends it', async () => {
  const stop = new AbortController();
  const why = new ModelCacheError('interrupted', 'stopped');
  setTimeout(() => stop.abort(why), 200);
  const read = (): Promise<unknown> => sleep(60_000, undefined, { ref: false });
  await assert.rejects(soon(readPatiently(storeOf(new Map()), patience(0), stop.signal, read)), why);
});

async function* drops(): AsyncGenerator<Buffer> {
  for (;;) {
    await sleep(20, undefined, { ref: false });
    yield Buffer.from('.');
  }
}

function patience(stall: number): Patience {
  return {
    stall,
    minSpeed: 0,
    speedWindow: 30_000,
    timeout: undefined,
    startedAt: performance.now(),
    grace: 100,
  };
}
