import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Arrival, BLOCK_BYTES } from '../../src/model/arrival.ts';
import { DiskSigns } from '../../src/threads/disk-signs.ts';
import type { FetchErrand } from '../../src/wire/messages.ts';
import { CutOff, DiskFailed, OtherObject, RangeReader, Refused } from '../../src/wire/range-reader.ts';
import { parseResponseHead, UnusualAnswer } from '../../src/wire/response-head.ts';
import { sha256 } from '../cache/cache-dir.ts';

const scratch = mkdtempSync(join(tmpdir(), 'range-reader-'));
after(() => rmSync(scratch, { recursive: true }));
let paths = 0;
const freshPath = (): string => join(scratch, `file-${(paths += 1)}`);

/** Of an object of 10 bytes, those from 2 to 6. */
const SOME = { start: 2, end: 6, size: 10, body: 'abcd' };
const ALL = { start: 0, end: 10, size: 10, body: '0123456789' };
const EMPTY = { start: 0, end: 0, size: 0, body: '' };
const PART = '206 Partial Content';
const range = (of: string): string => `content-range: bytes ${of}\r\n`;

type Wanted = Pick<FetchErrand, 'start' | 'end' | 'size'> & { readonly body: string };

interface Row {
  readonly name: string;
  readonly wanted: Wanted;
  readonly status: string;
  readonly headers?: string;
  readonly length?: number | 'in chunks';
  readonly pinned?: string;
  /** Undefined: it is read. */
  readonly throws?: object | typeof UnusualAnswer | typeof OtherObject;
}

const rows: readonly Row[] = [
  { name: 'the range that was asked for', wanted: SOME, status: PART, headers: range('2-5/10') },
  { name: 'all of it as a range', wanted: ALL, status: PART, headers: range('0-9/10') },
  { name: 'all of it, by a store that does not heed ranges', wanted: ALL, status: '200 OK' },
  { name: 'an empty object', wanted: EMPTY, status: '200 OK' },
  { name: 'the object that was pinned', wanted: SOME, status: PART, headers: range('2-5/10'), pinned: '"e"' },
  {
    name: 'everything instead of a range',
    wanted: SOME,
    status: '200 OK',
    length: 10,
    throws: UnusualAnswer,
  },
  { name: 'a range without saying which', wanted: SOME, status: PART, throws: UnusualAnswer },
  { name: 'another range', wanted: SOME, status: PART, headers: range('3-6/10'), throws: UnusualAnswer },
  {
    name: 'a longer range',
    wanted: SOME,
    status: PART,
    headers: range('2-6/10'),
    length: 5,
    throws: UnusualAnswer,
  },
  {
    name: 'the range, and another length',
    wanted: SOME,
    status: PART,
    headers: range('2-5/10'),
    length: 5,
    throws: UnusualAnswer,
  },
  {
    name: 'the range of an object of unknown size',
    wanted: SOME,
    status: PART,
    headers: range('2-5/*'),
    throws: UnusualAnswer,
  },
  {
    name: 'a range in other units',
    wanted: SOME,
    status: PART,
    headers: 'content-range: lines 2-5/10\r\n',
    throws: UnusualAnswer,
  },
  {
    name: 'a range with a sign',
    wanted: SOME,
    status: PART,
    headers: range('+2-5/10'),
    throws: UnusualAnswer,
  },
  {
    name: 'several ranges',
    wanted: SOME,
    status: PART,
    headers: range('2-5/10, 7-8/10'),
    throws: UnusualAnswer,
  },
  {
    name: 'a range of an object of another size',
    wanted: SOME,
    status: PART,
    headers: range('2-5/11'),
    throws: { etag: '"e"', size: 11 },
  },
  {
    name: 'all of an object of another size',
    wanted: ALL,
    status: '200 OK',
    length: 11,
    throws: { etag: '"e"', size: 11 },
  },
  {
    name: 'something where nothing should be',
    wanted: EMPTY,
    status: '200 OK',
    length: 1,
    throws: { size: 1 },
  },
  {
    name: 'another object than was pinned',
    wanted: SOME,
    status: PART,
    headers: range('2-5/10'),
    pinned: '"f"',
    throws: OtherObject,
  },
  {
    name: 'an object without an ETag',
    wanted: ALL,
    status: '200 OK',
    headers: 'etag:\r\n',
    throws: UnusualAnswer,
  },
  { name: 'content in chunks', wanted: ALL, status: '200 OK', length: 'in chunks', throws: UnusualAnswer },
  {
    name: 'compressed content',
    wanted: ALL,
    status: '200 OK',
    headers: 'content-encoding: gzip\r\n',
    throws: UnusualAnswer,
  },
  { name: 'another success', wanted: ALL, status: '203 Not Really', throws: UnusualAnswer },
  { name: 'nothing at all', wanted: EMPTY, status: '204 No Content', throws: UnusualAnswer },
  { name: 'nothing new', wanted: ALL, status: '304 Not Modified', throws: UnusualAnswer },
  {
    name: 'a redirect',
    wanted: ALL,
    status: '307 Temporary Redirect',
    headers: 'location: http://elsewhere\r\n',
    throws: UnusualAnswer,
  },
];

describe('an answer is taken when it is', () => {
  for (const row of rows.filter(({ throws }) => throws === undefined))
    test(row.name, () => {
      const path = freshPath();
      const began: string[] = [];
      const errand = errandOf(row, { path, mode: 0o600 });
      const reader = new RangeReader(errand, new DiskSigns(), () => began.push(reader.etag));
      reader.begin(headOf(row));
      for (const piece of row.wanted.body.match(/.{1,3}/g) ?? []) reader.take(Buffer.from(piece));
      assert.deepEqual(reader.finish(), { sha256: sha256(row.wanted.body) });
      assert.deepEqual(began, ['"e"']);
      assert.equal(reader.takeMoved(), row.wanted.body.length);
      assert.equal(reader.takeMoved(), 0);
      assert.equal(readFileSync(path, 'utf8'), '\0'.repeat(row.wanted.start) + row.wanted.body);
    });
});

describe('an answer is refused before a byte is written when it is', () => {
  for (const row of rows.filter(({ throws }) => throws !== undefined))
    test(row.name, () => {
      const path = freshPath();
      const reader = new RangeReader(errandOf(row, { path, mode: 0o600 }), new DiskSigns(), () =>
        assert.fail(),
      );
      assert.throws(() => reader.begin(headOf(row)), row.throws ?? assert.fail());
      reader.giveUp();
      assert.equal(existsSync(path), false);
    });
});

describe('a refusal', () => {
  const words = '<Error><Code>NoSuchKey</Code></Error>';
  const refusal = { name: '', wanted: SOME, status: '404 Not Found' };

  test('is told with its words, in however many pieces they come', () => {
    const reader = readerInto(freshPath());
    reader.begin(headOf({ ...refusal, length: words.length }));
    reader.take(Buffer.from(words.slice(0, 10)));
    assert.throws(
      () => reader.take(Buffer.from(words.slice(10))),
      (error) => {
        assert.ok(error instanceof Refused);
        const { status, headers, body } = error.refusal;
        assert.deepEqual([status, headers['etag'], body], [404, '"e"', words]);
        return true;
      },
    );
    assert.equal(reader.takeMoved(), 0);
  });

  for (const [name, length] of [
    ['without words', 0],
    ['in chunks', 'in chunks'],
    ['with more words than anybody says', 1024 * 1024],
  ] as const)
    test(`${name} is told by its status`, () => {
      const begin = (): void => readerInto(freshPath()).begin(headOf({ ...refusal, length }));
      assert.throws(begin, (error) => {
        assert.ok(error instanceof Refused);
        const { status, body } = error.refusal;
        assert.deepEqual([status, body], [404, '']);
        return true;
      });
    });
});

describe('a small file', () => {
  test('is made with its mode, by whoever asked for it and nobody else', () => {
    const path = freshPath();
    const reader = readerInto(path, 0o640);
    reader.begin(head());
    reader.finish();
    assert.equal(statSync(path).mode & 0o777, 0o640 & ~process.umask());
  });

  test('that is there already, or a link that leads elsewhere, is left alone', () => {
    const [file, link, elsewhere] = [freshPath(), freshPath(), freshPath()];
    writeFileSync(file, 'mine');
    symlinkSync(elsewhere, link);
    for (const path of [file, link]) {
      const reader = readerInto(path);
      assert.throws(() => reader.begin(head()), ofDisk('EEXIST'));
      reader.giveUp();
    }
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    assert.equal(existsSync(elsewhere), false);
  });

  test('is removed when it did not come, and may be gone by then', () => {
    for (const isGone of [false, true]) {
      const path = freshPath();
      const reader = readerInto(path);
      reader.begin(head());
      reader.take(Buffer.from('01234'));
      if (isGone) rmSync(path);
      reader.giveUp();
      assert.equal(existsSync(path), false);
    }
  });

  test('keeps no descriptor, whether it came or not', () => {
    const before = openDescriptor();
    for (const isWhole of [true, false]) {
      const reader = readerInto(freshPath());
      reader.begin(head());
      if (isWhole) reader.finish();
      else reader.giveUp();
    }
    assert.equal(openDescriptor(), before);
  });
});

describe('a file of the one who asks', () => {
  test('is written at the place of the range; its blocks are told of when they are whole; it stays open', () => {
    const size = 2 * BLOCK_BYTES + 100;
    const path = freshPath();
    writeFileSync(path, '');
    const fd = openSync(path, 'r+');
    const arrival = Arrival.of(size);
    const errand = {
      ...errandOf(rowOf(size), { fd, arrival: arrival.memory }),
      start: BLOCK_BYTES,
      end: size,
      algorithms: [],
    };
    const reader = new RangeReader(errand, new DiskSigns(), () => undefined);
    reader.begin(head(range(`${BLOCK_BYTES}-${size - 1}/${size}`), PART, size - BLOCK_BYTES));
    reader.take(Buffer.alloc(BLOCK_BYTES - 1, 'a'));
    assert.equal(arrival.reachFrom(BLOCK_BYTES, size), BLOCK_BYTES);
    reader.take(Buffer.alloc(101, 'b'));
    assert.equal(arrival.reachFrom(BLOCK_BYTES, size), size);
    assert.equal(arrival.isWhole, false);
    assert.deepEqual(reader.finish(), {});
    reader.giveUp();
    closeSync(fd);
    const bytes = readFileSync(path);
    assert.deepEqual([bytes.length, bytes[BLOCK_BYTES], bytes[size - 1]], [size, 0x61, 0x62]);
  });

  test('is written up to where it is to end, if it has not come so far', () => {
    const path = freshPath();
    writeFileSync(path, '');
    const fd = openSync(path, 'r+');
    const arrival = Arrival.of(10);
    const errand = { ...errandOf(rowOf(10), { fd, arrival: arrival.memory }), algorithms: [] };
    const reader = new RangeReader(errand, new DiskSigns(), () => undefined);
    reader.begin(head());
    reader.take(Buffer.from('0123'));
    const heeded = [4, 10, 11, 8, 9, 6].filter((end) => reader.cut(end));
    assert.deepEqual(heeded, [8, 6]);
    assert.throws(() => reader.take(Buffer.from('456789')), CutOff);
    closeSync(fd);
    assert.equal(readFileSync(path, 'utf8'), '012345');
    assert.equal(reader.takeMoved(), 6);
    assert.equal(arrival.isWhole, false);
  });

  test(
    'on a full disk is a failure of the disk',
    { skip: existsSync('/dev/full') ? false : 'no /dev/full' },
    () => {
      const fd = openSync('/dev/full', 'w');
      const arrival = Arrival.of(10);
      const signs = new DiskSigns();
      const reader = new RangeReader(
        errandOf(rowOf(10), { fd, arrival: arrival.memory }),
        signs,
        () => undefined,
      );
      reader.begin(head());
      assert.throws(() => reader.take(Buffer.from('0123456789')), ofDisk('ENOSPC'));
      assert.deepEqual([arrival.isWhole, reader.takeMoved(), signs.isAtDisk], [false, 0, false]);
      closeSync(fd);
    },
  );
});

function ofDisk(code: string): (error: unknown) => boolean {
  return (error) => error instanceof DiskFailed && (error.cause as NodeJS.ErrnoException).code === code;
}

function openDescriptor(): number {
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  return fd;
}

function rowOf(size: number): Pick<Row, 'wanted' | 'pinned'> {
  return { wanted: { start: 0, end: size, size, body: '' } };
}

function errandOf(
  { wanted, pinned }: Pick<Row, 'wanted' | 'pinned'>,
  into: FetchErrand['into'],
): FetchErrand {
  const { start, end, size } = wanted;
  return {
    request: '',
    start,
    end,
    size,
    etag: pinned,
    into,
    algorithms: ['sha256'],
    onNewConnection: false,
  };
}

function readerInto(path: string, mode = 0o600): RangeReader {
  return new RangeReader(errandOf({ wanted: ALL }, { path, mode }), new DiskSigns(), () => undefined);
}

/** Of all of an object of 10 bytes. */
function head(
  headers = '',
  status = '200 OK',
  length: Row['length'] = 10,
): ReturnType<typeof parseResponseHead> {
  return headOf({ name: '', wanted: ALL, status, headers, length });
}

function headOf({
  wanted,
  status,
  headers = '',
  length = wanted.body.length,
}: Row): ReturnType<typeof parseResponseHead> {
  const framing = length === 'in chunks' ? 'transfer-encoding: chunked' : `content-length: ${length}`;
  const etag = headers.includes('etag:') ? '' : 'etag: "e"\r\n';
  return parseResponseHead(`HTTP/1.1 ${status}\r\n${headers}${etag}${framing}`);
}
