import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { InTurn } from '../../src/transfer/in-turn.ts';

test('what is put is done in its order, and settled when all before it is', async () => {
  const inTurn = new InTurn();
  const done: number[] = [];
  for (const number of [1, 2, 3]) inTurn.put(() => done.push(number));
  const settled = inTurn.settled();
  inTurn.put(() => done.push(4));
  await settled;
  assert.deepEqual(done.slice(0, 3), [1, 2, 3]);
  await inTurn.settled();
  assert.deepEqual(done, [1, 2, 3, 4]);
});

test('what takes long lets timers in between, even where all of it is put at once', async () => {
  const inTurn = new InTurn();
  let done = 0;
  let doneAtTimer: number | undefined;
  setTimeout(() => (doneAtTimer = done), 1);
  const slow = (): void => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 15);
    done += 1;
  };
  for (let count = 0; count < 20; count += 1) inTurn.put(slow);
  await inTurn.settled();
  assert.equal(done, 20);
  assert.ok(doneAtTimer !== undefined && doneAtTimer < 10, `after ${doneAtTimer} of 20`);
});

test('what is put by what is done comes later', async () => {
  const inTurn = new InTurn();
  const done: string[] = [];
  inTurn.put(() => {
    inTurn.put(() => done.push('inner'));
    done.push('outer');
  });
  await sleep(50);
  await inTurn.settled();
  assert.deepEqual(done, ['outer', 'inner']);
});
