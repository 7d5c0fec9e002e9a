import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { keptIdentity, type Identity } from '../../src/store/kept-identity.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

beforeEach(() => mock.timers.enable({ apis: ['Date'], now: 0 }));
afterEach(() => mock.timers.reset());

test('a source is asked once, by however many at the same time', async () => {
  const { provider, asked } = source(() => identity('A'));
  await Promise.all(Array.from({ length: 100 }, () => provider()));
  mock.timers.tick(24 * HOUR);
  assert.equal((await provider()).accessKeyId, 'A');
  assert.equal(asked(), 1);
});

test('a new identity is asked for before the old one expires, and nobody waits for it', async () => {
  const { provider, asked } = source((count) => identity(`K${count}`, count * HOUR));
  assert.equal((await provider()).accessKeyId, 'K1');
  mock.timers.tick(HOUR - 6 * MINUTE);
  assert.equal((await provider()).accessKeyId, 'K1');
  assert.equal(asked(), 1);
  mock.timers.tick(2 * MINUTE);
  assert.equal((await provider()).accessKeyId, 'K1');
  await nextTurn();
  assert.equal((await provider()).accessKeyId, 'K2');
  assert.equal(asked(), 2);
});

test('while no new identity can be had, the old one counts, and the source is not asked for each request', async () => {
  const { provider, asked } = source((count) => {
    if (count > 1) throw new Error('throttled');
    return identity('OLD', HOUR);
  });
  await provider();
  mock.timers.tick(HOUR - 4 * MINUTE);
  for (let request = 0; request < 50; request += 1) {
    assert.equal((await provider()).accessKeyId, 'OLD');
    await nextTurn();
  }
  assert.equal(asked(), 2);
  mock.timers.tick(11_000);
  await provider();
  assert.equal(asked(), 3);
});

test('what has expired is waited for, and what the source says is thrown, for a while without asking', async () => {
  const { provider, asked } = source((count) => {
    if (count === 2) throw new Error('not now');
    return identity(`K${count}`, count * HOUR);
  });
  await provider();
  mock.timers.tick(2 * HOUR);
  await assert.rejects(provider(), { message: 'not now' });
  await assert.rejects(provider(), { message: 'not now' });
  assert.equal(asked(), 2);
  mock.timers.tick(11_000);
  assert.equal((await provider()).accessKeyId, 'K3');
});

test('a source that fails at first is asked again', async () => {
  const { provider, asked } = source((count) => {
    if (count === 1) throw new Error('not yet');
    return identity('A');
  });
  await assert.rejects(provider(), { message: 'not yet' });
  mock.timers.tick(11_000);
  assert.equal((await provider()).accessKeyId, 'A');
  assert.equal(asked(), 2);
});

function identity(accessKeyId: string, expires?: number): Identity {
  return {
    accessKeyId,
    secretAccessKey: 'secret',
    ...(expires !== undefined && { expiration: new Date(expires) }),
  };
}

function source(answer: (count: number) => Identity): {
  readonly provider: () => Promise<Identity>;
  readonly asked: () => number;
} {
  let count = 0;
  const ask = async (): Promise<Identity> => {
    count += 1;
    await nextTurn();
    return answer(count);
  };
  return { provider: keptIdentity(ask), asked: () => count };
}
