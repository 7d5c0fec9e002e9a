import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rangesWithout, usableParts } from '../../src/model/proof.ts';

const DIGEST = 'ab'.repeat(32);
const THREE = { algorithm: 'blake3', size: 10, digests: [DIGEST, DIGEST, DIGEST] };

describe('what a manifest says of the parts of a file of 25 bytes', () => {
  const rows: readonly { name: string; told: Parameters<typeof usableParts>[1]; isUsable: boolean }[] = [
    { name: 'nothing', told: undefined, isUsable: false },
    { name: 'a digest for each', told: THREE, isUsable: true },
    { name: 'an algorithm of a later version', told: { ...THREE, algorithm: 'blake4' }, isUsable: false },
    { name: 'a digest too few', told: { ...THREE, digests: [DIGEST, DIGEST] }, isUsable: false },
    { name: 'a digest too many', told: { ...THREE, digests: Array(4).fill(DIGEST) }, isUsable: false },
    { name: 'a digest that is short', told: { ...THREE, digests: [DIGEST, 'ab', DIGEST] }, isUsable: false },
    {
      name: 'a digest in capitals',
      told: { ...THREE, digests: [DIGEST, DIGEST.toUpperCase(), DIGEST] },
      isUsable: false,
    },
  ];
  for (const { name, told, isUsable } of rows)
    test(`${name}: ${isUsable ? 'can be used' : 'is left aside'}`, () =>
      assert.deepEqual(usableParts(25, told), isUsable ? { size: 10, digests: THREE.digests } : undefined));

  test('an empty file has none', () => {
    assert.deepEqual(usableParts(0, { ...THREE, digests: [] }), { size: 10, digests: [] });
    assert.equal(usableParts(0, { ...THREE, digests: [DIGEST] }), undefined);
  });
});

describe('what is right of a file, by the places of its wrong parts', () => {
  const parts = { size: 10, digests: THREE.digests };
  const rows: readonly { wrong: readonly number[]; right: readonly (readonly [number, number])[] }[] = [
    {
      wrong: [],
      right: [
        [0, 10],
        [10, 20],
        [20, 25],
      ],
    },
    {
      wrong: [1],
      right: [
        [0, 10],
        [20, 25],
      ],
    },
    {
      wrong: [2],
      right: [
        [0, 10],
        [10, 20],
      ],
    },
    { wrong: [0, 1, 2], right: [] },
  ];
  for (const { wrong, right } of rows)
    test(`wrong are ${wrong.join(', ') || 'none'}`, () =>
      assert.deepEqual(
        rangesWithout(25, parts, wrong),
        right.map(([start, end]) => ({ start, end })),
      ));
});
