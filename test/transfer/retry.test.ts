import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soon } from '../store/bodies.ts';
import { ModelCacheError, type ErrorCode } from '../../src/errors.ts';
import { persistently, withRetries } from '../../src/transfer/retry.ts';

const NEVER = new AbortController().signal;

test('what works at once is done once', async () => {
  const { attempt, count } = failing(0);
  assert.equal(await withRetries(3, () => true, NEVER, attempt), 'done');
  assert.equal(count(), 1);
});

test('it is tried again until it works', async () => {
  const { attempt, count } = failing(2);
  assert.equal(await soon(withRetries(3, () => true, NEVER, attempt)), 'done');
  assert.equal(count(), 3);
});

test('after the last try, the last error is thrown', async () => {
  const { attempt, count } = failing(9);
  await assert.rejects(soon(withRetries(2, () => true, NEVER, attempt)), /failure 2/);
  assert.equal(count(), 2);
});

test('what is not worth it is not tried again', async () => {
  const { attempt, count } = failing(9);
  await assert.rejects(
    withRetries(5, () => false, NEVER, attempt),
    /failure 1/,
  );
  assert.equal(count(), 1);
});

test('an abort ends the pause, and there is no other try', async () => {
  const stop = new AbortController();
  const { attempt, count } = failing(9);
  setTimeout(() => stop.abort(new Error('enough')), 20);
  await assert.rejects(soon(withRetries(99, () => true, stop.signal, attempt)));
  assert.ok(count() <= 2);
});

test('an abort during the try is its reason', async () => {
  const stop = new AbortController();
  const attempt = (): Promise<never> => {
    stop.abort(new Error('enough'));
    return Promise.reject(new Error('because of it'));
  };
  await assert.rejects(
    withRetries(3, () => true, stop.signal, attempt),
    /enough/,
  );
});

test('what brings something with each try goes on for as long as it does', async (context) => {
  context.mock.method(Math, 'random', () => -0.49);
  let reached = 0;
  const attempt = (): Promise<string> => {
    reached += 256 * 1024;
    return reached < 20 * 256 * 1024 ? Promise.reject(refusal('store-unreachable')) : Promise.resolve('done');
  };
  assert.equal(await soon(persistently(NEVER, attempt, () => reached)), 'done');
});

for (const [code, most] of [
  ['store-throttled', 13],
  ['store-unreachable', 7],
  ['store-failed', 5],
] as const) {
  test(`${code} is thrown after ${most} tries of 0.9 s each`, async (context) => {
    let now = 0;
    context.mock.method(performance, 'now', () => now);
    context.mock.method(Math, 'random', () => -0.49);
    let tries = 0;
    const attempt = (): Promise<never> => {
      tries += 1;
      now += 900;
      return Promise.reject(refusal(code));
    };
    await assert.rejects(soon(persistently(NEVER, attempt)), { code });
    assert.equal(tries, most);
  });
}

test('what no other try can better is thrown at once', async () => {
  let tries = 0;
  const attempt = (): Promise<never> => {
    tries += 1;
    return Promise.reject(refusal('store-denied'));
  };
  await assert.rejects(persistently(NEVER, attempt), { code: 'store-denied' });
  assert.equal(tries, 1);
});

function refusal(code: ErrorCode): ModelCacheError {
  return new ModelCacheError(code, 'no');
}

function failing(times: number): { readonly attempt: () => Promise<string>; readonly count: () => number } {
  let calls = 0;
  const attempt = (): Promise<string> => {
    calls += 1;
    return calls <= times ? Promise.reject(new Error(`failure ${calls}`)) : Promise.resolve('done');
  };
  return { attempt, count: () => calls };
}
