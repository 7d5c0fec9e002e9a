import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Throttle, turnFor } from '../../src/transfer/throttle.ts';

const never = new AbortController().signal;

test('without a limit nobody waits', async () => {
  const throttle = new Throttle(undefined);
  await Promise.all(Array.from({ length: 100 }, () => throttle.take(1e12, never)));
});

test('all senders together are held to the limit, beyond a short burst', () => {
  let spentUntil = 0;
  const waits = Array.from({ length: 10 }, () => {
    const turn = turnFor(100_000, 1e6, spentUntil, 0);
    spentUntil = turn.spentUntil;
    return turn.wait;
  });
  assert.deepEqual(waits, [0, 0, 50, 150, 250, 350, 450, 550, 650, 750]);
});

test('what was not used in the past is not made up for', () => {
  assert.deepEqual(turnFor(1_000_000, 1e6, 0, 60_000), { wait: 750, spentUntil: 61_000 });
});

test('a stopped sender does not wait for its turn', async () => {
  const stop = new AbortController();
  const waiting = new Throttle(1).take(1000, stop.signal);
  stop.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
});

test('pieces are small where little may be sent, so that what is waited for is never silent for long', () => {
  for (const [limit, piece] of [
    [undefined, 512 * 1024],
    [100_000_000, 512 * 1024],
    [1_000_000, 50_000],
    [1000, 16 * 1024],
  ] as const)
    assert.equal(new Throttle(limit).piece, piece);
});
