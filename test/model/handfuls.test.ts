import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { array, assert as assertProperty, integer, nat, property } from 'fast-check';
import { handfuls } from '../../src/model/handfuls.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('so many files are asked for together:', () => {
  const rows: readonly {
    name: string;
    sizes: readonly number[];
    lanes: number;
    counts: readonly number[];
  }[] = [
    { name: 'none of none', sizes: [], lanes: 64, counts: [] },
    {
      name: 'one at a time, where there are lanes for all',
      sizes: times(5, KiB),
      lanes: 64,
      counts: times(5, 1),
    },
    { name: 'fewer towards the end', sizes: times(10, KiB), lanes: 1, counts: [5, 3, 1, 1] },
    { name: 'a few of very many', sizes: times(40, KiB), lanes: 1, counts: [8, 8, 8, 8, 4, 2, 1, 1] },
    { name: 'fewer of larger ones', sizes: times(12, 400 * KiB), lanes: 1, counts: [3, 3, 3, 2, 1] },
    {
      name: 'one that is as large as all of them may be',
      sizes: times(4, MiB),
      lanes: 1,
      counts: times(4, 1),
    },
    { name: 'a few that are empty', sizes: times(4, 0), lanes: 1, counts: [2, 1, 1] },
  ];
  for (const { name, sizes, lanes, counts } of rows)
    test(name, () => {
      const found = Array.from(
        handfuls(sizes, (size) => size, lanes),
        ({ length }) => length,
      );
      assert.deepEqual(found, counts);
    });
});

test('every file is asked for once, in its order, and none waits for as much as a MiB before it', () => {
  assertProperty(
    property(array(nat(MiB), { maxLength: 500 }), integer({ min: 1, max: 64 }), (sizes, lanes) => {
      const found = [...handfuls(sizes, (size) => size, lanes)];
      assert.deepEqual(found.flat(), sizes);
      for (const files of found) {
        assert.ok(files.length > 0);
        const before = files.slice(0, -1).reduce((sum, size) => sum + size, 0);
        assert.ok(before < MiB, `${before} bytes before the last one`);
      }
    }),
    { seed: 6, numRuns: 300 },
  );
});

function times(count: number, value: number): readonly number[] {
  return Array.from({ length: count }, () => value);
}
