import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busyTicks, ownTicks } from '../../../bench/measure/processors.ts';

test('idle time, waiting and interrupts are not what others use', () => {
  assert.equal(busyTicks('cpu  100 20 3 9999 888 77 66 4 0 0'), 127);
});

test('the name of a program may hold spaces and brackets', () => {
  const after = 'S 1 2 3 4 5 6 7 8 9 10 300 21 0 0';
  assert.equal(ownTicks(`42 (a) b (c) ${after}`), 321);
});
