import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { mapLimited } from '../src/map-limited.ts';

const ITEMS = [1, 2, 3, 4, 5, 6];

test('answers come in the order of the items, and no more are worked on at once than may be', async () => {
  let atWork = 0;
  let most = 0;
  const answers = await mapLimited(2, new Set(ITEMS), async (item) => {
    atWork += 1;
    most = Math.max(most, atWork);
    await turn();
    atWork -= 1;
    return item * 10;
  });
  assert.deepEqual(answers, [10, 20, 30, 40, 50, 60]);
  assert.equal(most, 2);
});

test('after the first failure none is begun any more', async () => {
  const why = new Error('no more');
  const begun: number[] = [];
  const working = mapLimited(2, ITEMS, async (item) => {
    begun.push(item);
    await turn();
    if (item === 2) throw why;
    await turn();
  });
  await assert.rejects(working, why);
  for (let turns = 0; turns < 10; turns += 1) await turn();
  assert.deepEqual(begun, [1, 2]);
});
