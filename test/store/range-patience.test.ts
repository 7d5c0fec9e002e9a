import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rangePatience } from '../../src/store/range-patience.ts';

for (const [stall, patience] of [
  [30_000, 10_000],
  [300_000, 10_000],
  [12_000, 4000],
  [4000, 2000],
  [1000, 1000],
  [0, 0],
] as const) {
  test(`of a store that is given ${stall} ms, one range is given ${patience}`, () => {
    assert.equal(rangePatience(stall), patience);
  });
}
