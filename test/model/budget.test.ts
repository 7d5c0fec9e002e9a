import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesShort, chooseDir, type DirCandidate } from '../../src/model/budget.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

describe('bytes are short', () => {
  test('by none when nothing is wanted, even on a full disk', () =>
    assert.equal(bytesShort(0, { freeBytes: 0 }), 0));

  test('by none when the file system does not say', () =>
    assert.equal(bytesShort(10 * GIB, { freeBytes: Number.POSITIVE_INFINITY }), 0));

  test('when the files fit to the last byte: a little is kept free for everything else', () => {
    assert.ok(bytesShort(GIB, { freeBytes: GIB }) > 0);
    assert.equal(bytesShort(GIB, { freeBytes: GIB + GIB / 10 }), 0);
  });

  test('by exactly what makes it fit', () => {
    for (const wanted of [1, 461, MIB, GIB, 3 * GIB + 1]) {
      const short = bytesShort(wanted, { freeBytes: 0 });
      assert.ok(short > wanted);
      assert.equal(bytesShort(wanted, { freeBytes: short }), 0);
      assert.equal(bytesShort(wanted, { freeBytes: short - 1 }), 1);
    }
  });
});

describe('the dir is', () => {
  const roomy = (dir: string, gib: number, holdsState = false): DirCandidate => ({
    dir,
    holdsState,
    freeBytes: gib * GIB,
  });
  const rows: readonly { name: string; candidates: readonly DirCandidate[]; chosen: string | undefined }[] = [
    { name: 'none without candidates', candidates: [], chosen: undefined },
    {
      name: 'the first that has room',
      candidates: [roomy('a', 1), roomy('b', 3), roomy('c', 9)],
      chosen: 'b',
    },
    { name: 'the preferred one when all have room', candidates: [roomy('a', 3), roomy('b', 9)], chosen: 'a' },
    {
      name: 'the one that holds our state, before others with room',
      candidates: [roomy('a', 9), roomy('b', 3, true)],
      chosen: 'b',
    },
    {
      name: 'the one that holds our state, even without room',
      candidates: [roomy('a', 9), roomy('b', 0, true)],
      chosen: 'b',
    },
    {
      name: 'the first of two that hold our state',
      candidates: [roomy('a', 1, true), roomy('b', 9, true)],
      chosen: 'a',
    },
    {
      name: 'the roomiest when none has room',
      candidates: [roomy('a', 0), roomy('b', 1.5), roomy('c', 1)],
      chosen: 'b',
    },
    { name: 'the preferred one of two as roomy', candidates: [roomy('a', 1), roomy('b', 1)], chosen: 'a' },
    {
      name: 'one that does not say how much room it has',
      candidates: [roomy('a', 1), roomy('b', Infinity)],
      chosen: 'b',
    },
  ];
  for (const { name, candidates, chosen } of rows) {
    test(name, () => assert.equal(chooseDir(candidates, 2 * GIB)?.dir, chosen));
  }
});
