import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes } from '../../src/stages/words.ts';

for (const [count, words] of [
  [0, '0 B'],
  [461, '461 B'],
  [1000, '1 kB'],
  [54_400_000, '54.4 MB'],
  [1_404_400_461, '1.4 GB'],
  [3e15, '3 PB'],
] as const) {
  test(`${count} bytes are ${words}`, () => assert.equal(bytes(count), words));
}
