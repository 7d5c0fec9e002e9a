import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesShort, chooseDir } from '../../src/model/budget.ts';

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
  const rows: readonly { name: string; short: readonly number[]; chosen: number | undefined }[] = [
    { name: 'none where none was tried', short: [], chosen: undefined },
    { name: 'the first that lacks nothing', short: [1, 0, 0], chosen: 1 },
    { name: 'the one that lacks least when none has room', short: [3, 1, 2], chosen: 1 },
    { name: 'the preferred one of two that lack as much', short: [2, 2], chosen: 0 },
  ];
  for (const { name, short, chosen } of rows) {
    const tried = short.map((bytesShort, index) => ({ bytesShort, index }));
    test(name, () => assert.equal(chooseDir(tried)?.index, chosen));
  }
});
