import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes } from '../../src/stages/words.ts';

for (const [count, words] of [
  [0, '0 B'],
  [461, '461 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [1150, '1.15 kB'],
  [1234, '1.23 kB'],
  [1239, '1.23 kB'],
  [1_204_000, '1.2 MB'],
  [999_994, '999.99 kB'],
  [999_999, '999.99 kB'],
  [54_400_000, '54.4 MB'],
  [1_404_400_461, '1.4 GB'],
  [3e15, '3 PB'],
  [Number.MAX_SAFE_INTEGER, '9 PB'],
  [5e21, '5000 EB'],
  [Infinity, 'Infinity EB'],
] as const) {
  test(`${count} bytes are ${words}`, () => assert.equal(bytes(count), words));
}
