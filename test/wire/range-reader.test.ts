import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Arrival, BLOCK_BYTES } from '../../src/model/arrival.ts';
import type { ByteRange } from '../../src/model/parts.ts';
import { DiskSigns } from '../../src/threads/disk-signs.ts';
import { DiskFailed } from '../../src/wire/at-disk.ts';
import { OtherObject } from '../../src/wire/content.ts';
import { CutOff, RangeReader } from '../../src/wire/range-reader.ts';

const scratch = mkdtempSync(join(tmpdir(), 'range-reader-'));
after(() => rmSync(scratch, { recursive: true }));
let paths = 0;

test('a range is written at its place; its blocks are told of when they are whole; the file stays open', () => {
  const size = 2 * BLOCK_BYTES + 100;
  const { reader, arrival, bytes } = readerOf(size, { range: { start: BLOCK_BYTES, end: size } });
  reader.begin({ etag: '"e"', size });
  reader.take(Buffer.alloc(BLOCK_BYTES - 1, 'a'));
  assert.equal(arrival.reachFrom(BLOCK_BYTES, size), BLOCK_BYTES);
  reader.take(Buffer.alloc(101, 'b'));
  assert.equal(arrival.reachFrom(BLOCK_BYTES, size), size);
  assert.equal(arrival.isWhole, false);
  assert.deepEqual([reader.takeMoved(), reader.takeMoved()], [BLOCK_BYTES + 100, 0]);
  const written = bytes();
  assert.deepEqual([written.length, written[BLOCK_BYTES], written[size - 1]], [size, 0x61, 0x62]);
});

describe('before a byte is written, a range is refused when it is of', () => {
  const rows = [
    { name: 'another object than was pinned', etag: '"f"', found: { etag: '"e"', size: 10 } },
    { name: 'an object of another size', etag: undefined, found: { etag: '"e"', size: 11 } },
  ];
  for (const { name, etag, found } of rows)
    test(name, () => {
      const { reader, bytes, begun } = readerOf(10, { etag });
      assert.throws(() => reader.begin(found), OtherObject);
      assert.deepEqual([begun, bytes().length], [[], 0]);
    });
});

test('the object is told of when it is the one that was pinned, and when any would do', () => {
  for (const etag of ['"e"', undefined]) {
    const { reader, begun } = readerOf(10, { etag });
    reader.begin({ etag: '"e"', size: 10 });
    assert.deepEqual(begun, ['"e"']);
  }
});

test('a range is written up to where it is to end, if it has not come so far', () => {
  const { reader, arrival, bytes } = readerOf(10);
  reader.begin({ etag: '"e"', size: 10 });
  reader.take(Buffer.from('0123'));
  const heeded = [4, 10, 11, 8, 9, 6].filter((end) => reader.cut(end));
  assert.deepEqual(heeded, [8, 6]);
  assert.throws(() => reader.take(Buffer.from('456789')), CutOff);
  assert.equal(bytes().toString(), '012345');
  assert.equal(reader.takeMoved(), 6);
  assert.equal(arrival.isWhole, false);
});

test(
  'a full disk is a failure of the disk',
  { skip: existsSync('/dev/full') ? false : 'no /dev/full' },
  () => {
    const fd = openSync('/dev/full', 'w');
    const signs = new DiskSigns();
    const { reader, arrival } = readerOf(10, { fd, signs });
    reader.begin({ etag: '"e"', size: 10 });
    assert.throws(
      () => reader.take(Buffer.from('0123456789')),
      (error) => error instanceof DiskFailed && (error.cause as NodeJS.ErrnoException).code === 'ENOSPC',
    );
    assert.deepEqual([arrival.isWhole, reader.takeMoved(), signs.isAtDisk], [false, 0, false]);
  },
);

interface Options {
  readonly range?: ByteRange;
  readonly etag?: string | undefined;
  readonly fd?: number;
  readonly signs?: DiskSigns;
}

/** Of an object of `size` bytes, into a file that is closed when the tests are over. */
function readerOf(
  size: number,
  { range = { start: 0, end: size }, etag, fd, signs = new DiskSigns() }: Options = {},
): { reader: RangeReader; arrival: Arrival; begun: string[]; bytes: () => Buffer } {
  const path = join(scratch, `file-${(paths += 1)}`);
  writeFileSync(path, '');
  const opened = fd ?? openSync(path, 'r+');
  after(() => closeSync(opened));
  const arrival = Arrival.of(size);
  const into = { fd: opened, arrival: arrival.memory };
  const errand = {
    kind: 'range',
    request: '',
    range,
    size,
    etag,
    into,
    parts: undefined,
    onNewConnection: false,
  } as const;
  const begun: string[] = [];
  const reader = new RangeReader(errand, signs, (found) => begun.push(found));
  return { reader, arrival, begun, bytes: () => readFileSync(path) };
}
