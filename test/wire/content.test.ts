import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ByteRange } from '../../src/model/parts.ts';
import { ContentOrRefusal, Refused, type FoundObject } from '../../src/wire/content.ts';
import { parseResponseHead, UnusualAnswer } from '../../src/wire/response-head.ts';

/** Of an object of 10 bytes, those from 2 to 6. */
const SOME = { start: 2, end: 6, size: 10, body: 'abcd' };
const ALL = { start: 0, end: 10, size: 10, body: '0123456789' };
const EMPTY = { start: 0, end: 0, size: 0, body: '' };
const PART = '206 Partial Content';
const range = (of: string): string => `content-range: bytes ${of}\r\n`;

type Wanted = ByteRange & { readonly size: number; readonly body: string };

interface Row {
  readonly name: string;
  readonly wanted: Wanted;
  readonly status: string;
  readonly headers?: string;
  readonly length?: number | 'in chunks';
  /** What the answer is of. Undefined: it is unusual. */
  readonly found?: FoundObject;
}

const rows: readonly Row[] = [
  {
    name: 'the range that was asked for',
    wanted: SOME,
    status: PART,
    headers: range('2-5/10'),
    found: { etag: '"e"', size: 10 },
  },
  {
    name: 'all of it as a range',
    wanted: ALL,
    status: PART,
    headers: range('0-9/10'),
    found: { etag: '"e"', size: 10 },
  },
  {
    name: 'all of it, by a store that does not heed ranges',
    wanted: ALL,
    status: '200 OK',
    found: { etag: '"e"', size: 10 },
  },
  { name: 'an empty object', wanted: EMPTY, status: '200 OK', found: { etag: '"e"', size: 0 } },
  {
    name: 'everything instead of a range',
    wanted: SOME,
    status: '200 OK',
    length: 10,
  },
  { name: 'a range without saying which', wanted: SOME, status: PART },
  { name: 'another range', wanted: SOME, status: PART, headers: range('3-6/10') },
  {
    name: 'a longer range',
    wanted: SOME,
    status: PART,
    headers: range('2-6/10'),
    length: 5,
  },
  {
    name: 'the range, and another length',
    wanted: SOME,
    status: PART,
    headers: range('2-5/10'),
    length: 5,
  },
  {
    name: 'the range of an object of unknown size',
    wanted: SOME,
    status: PART,
    headers: range('2-5/*'),
  },
  {
    name: 'a range in other units',
    wanted: SOME,
    status: PART,
    headers: 'content-range: lines 2-5/10\r\n',
  },
  {
    name: 'a range with a sign',
    wanted: SOME,
    status: PART,
    headers: range('+2-5/10'),
  },
  {
    name: 'several ranges',
    wanted: SOME,
    status: PART,
    headers: range('2-5/10, 7-8/10'),
  },
  {
    name: 'a range of an object of another size',
    wanted: SOME,
    status: PART,
    headers: range('2-5/11'),
    found: { etag: '"e"', size: 11 },
  },
  {
    name: 'all of an object of another size',
    wanted: ALL,
    status: '200 OK',
    length: 11,
    found: { etag: '"e"', size: 11 },
  },
  {
    name: 'something where nothing should be',
    wanted: EMPTY,
    status: '200 OK',
    length: 1,
    found: { etag: '"e"', size: 1 },
  },
  {
    name: 'an object without an ETag',
    wanted: ALL,
    status: '200 OK',
    headers: 'etag:\r\n',
  },
  { name: 'content in chunks', wanted: ALL, status: '200 OK', length: 'in chunks' },
  {
    name: 'compressed content',
    wanted: ALL,
    status: '200 OK',
    headers: 'content-encoding: gzip\r\n',
  },
  { name: 'another success', wanted: ALL, status: '203 Not Really' },
  { name: 'nothing at all', wanted: EMPTY, status: '204 No Content' },
  { name: 'nothing new', wanted: ALL, status: '304 Not Modified' },
  {
    name: 'a redirect',
    wanted: ALL,
    status: '307 Temporary Redirect',
    headers: 'location: http://elsewhere\r\n',
  },
];

describe('which object an answer is of, when it is', () => {
  for (const row of rows.filter(({ found }) => found !== undefined))
    test(row.name, () => {
      const heard = new HeardContent();
      readerOf(row, heard).begin(headOf(row));
      assert.deepEqual(heard.found, [row.found]);
    });
});

describe('an answer is left to others, and no byte of it is taken, when it is', () => {
  for (const row of rows.filter(({ found }) => found === undefined))
    test(row.name, () => {
      const heard = new HeardContent();
      assert.throws(() => readerOf(row, heard).begin(headOf(row)), UnusualAnswer);
      assert.deepEqual(heard.found, []);
    });
});

test('what follows is given on as it comes', () => {
  const heard = new HeardContent();
  const row = { name: '', wanted: ALL, status: '200 OK' };
  const reader = readerOf(row, heard);
  reader.begin(headOf(row));
  for (const piece of ['0123', '456789']) reader.take(Buffer.from(piece));
  assert.deepEqual(heard.pieces, ['0123', '456789']);
});

describe('a refusal', () => {
  const words = '<Error><Code>NoSuchKey</Code></Error>';
  const refusal = { name: '', wanted: SOME, status: '404 Not Found' };

  test('is told with its words when they have ended, in however many pieces they come', () => {
    const heard = new HeardContent();
    const reader = readerOf(refusal, heard);
    reader.begin(headOf({ ...refusal, length: words.length }));
    for (const piece of [words.slice(0, 10), words.slice(10)]) reader.take(Buffer.from(piece));
    assert.throws(() => reader.throwIfRefused(), refusedWith({ 'content-length': `${words.length}` }, words));
    assert.deepEqual([heard.found, heard.pieces], [[], []]);
  });

  test('without words is told by its status', () => {
    const reader = readerOf(refusal, new HeardContent());
    reader.begin(headOf({ ...refusal, length: 0 }));
    assert.throws(() => reader.throwIfRefused(), refusedWith({}, ''));
  });

  for (const [name, length] of [
    ['in chunks', 'in chunks'],
    ['with more words than anybody says', 1024 * 1024],
  ] as const)
    test(`${name} is told by its status at once: its connection is of no use`, () => {
      const begin = (): void => readerOf(refusal, new HeardContent()).begin(headOf({ ...refusal, length }));
      assert.throws(begin, refusedWith({}, ''));
    });

  test('that is none throws nothing', () => {
    const row = { name: '', wanted: SOME, status: '200 OK' };
    assert.doesNotThrow(() => readerOf(row, new HeardContent()).throwIfRefused());
  });
});

function refusedWith(headers: object, body: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof Refused);
    assert.partialDeepStrictEqual(error.refusal, { status: 404, headers: { etag: '"e"', ...headers }, body });
    return true;
  };
}

class HeardContent {
  readonly found: FoundObject[] = [];
  readonly pieces: string[] = [];

  begin(found: FoundObject): void {
    this.found.push(found);
  }

  take(bytes: Buffer): void {
    this.pieces.push(bytes.toString());
  }
}

function readerOf(
  { wanted: { start, end, size } }: Pick<Row, 'wanted'>,
  heard: HeardContent,
): ContentOrRefusal {
  return new ContentOrRefusal({ start, end }, size, heard);
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
