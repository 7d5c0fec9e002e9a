import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { partSizeFor, rangesOf } from '../../src/model/parts.ts';

const MIB = 1024 * 1024;
const LARGEST_OF_8 = 8 * MIB * 10_000;

describe('the part size is fixed by the format', () => {
  const rows: readonly { name: string; size: number; mib: number }[] = [
    { name: 'for an empty object', size: 0, mib: 8 },
    { name: 'for one byte', size: 1, mib: 8 },
    { name: 'for F5TTS_v1_Base', size: 1_348_435_761, mib: 8 },
    { name: 'for 10 000 parts', size: LARGEST_OF_8, mib: 8 },
    { name: 'for one byte more', size: LARGEST_OF_8 + 1, mib: 16 },
    { name: 'for 10 000 parts of 16 MiB', size: 2 * LARGEST_OF_8, mib: 16 },
    { name: 'for one byte more than those', size: 2 * LARGEST_OF_8 + 1, mib: 24 },
    { name: 'for the largest object of S3', size: 5 * 1024 ** 4, mib: 528 },
  ];
  for (const { name, size, mib } of rows) {
    test(`${name}: ${mib} MiB`, () => {
      assert.equal(partSizeFor(size), mib * MIB);
      assert.ok(Math.ceil(size / partSizeFor(size)) <= 10_000);
    });
  }
});

describe('an object is cut', () => {
  const rows: readonly { name: string; size: number; cuts: readonly (readonly [number, number])[] }[] = [
    { name: 'into one empty range when it is empty', size: 0, cuts: [[0, 0]] },
    { name: 'into one when it is smaller than a part', size: 9, cuts: [[0, 9]] },
    { name: 'into one when it is a part', size: 10, cuts: [[0, 10]] },
    {
      name: 'into two when it is a byte more',
      size: 11,
      cuts: [
        [0, 10],
        [10, 11],
      ],
    },
    {
      name: 'into whole parts',
      size: 30,
      cuts: [
        [0, 10],
        [10, 20],
        [20, 30],
      ],
    },
  ];
  for (const { name, size, cuts } of rows) {
    test(name, () =>
      assert.deepEqual(
        rangesOf(size, 10),
        cuts.map(([start, end]) => ({ start, end })),
      ),
    );
  }

  test('so that every byte is in one range', () => {
    for (let size = 1; size < 200; size += 1) {
      const ranges = rangesOf(size, 7);
      assert.equal(
        ranges.reduce((sum, { start, end }) => sum + end - start, 0),
        size,
      );
      assert.ok(ranges.every(({ start }, index) => start === (ranges[index - 1]?.end ?? 0)));
    }
  });
});
