import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { array, assert as assertProperty, nat, oneof, property, string, tuple } from 'fast-check';
import { bytesIn, journalText, missingRanges, parseJournal, rangeLine } from '../../src/model/partial.ts';
import type { ByteRange } from '../../src/model/parts.ts';

/** The same in each run; when one fails, fast-check prints how to get it again. */
const RUNS = { seed: 5, numRuns: 200 };
const HEADER = { key: 'hub/models--a--b/blobs/x', size: 100, etag: '"e1"', boot: 'b' };

describe('a journal', () => {
  const rows: readonly { name: string; lines: string; done: readonly (readonly [number, number])[] }[] = [
    { name: 'that has just begun', lines: '', done: [] },
    { name: 'of one range', lines: '0-10\n', done: [[0, 10]] },
    { name: 'whose ranges came in any order', lines: '50-60\n0-10\n', done: pairs('0-10 50-60') },
    { name: 'whose ranges touch', lines: '10-20\n0-10\n20-30\n', done: pairs('0-30') },
    { name: 'whose ranges overlap', lines: '0-50\n10-20\n40-60\n', done: pairs('0-60') },
    { name: 'that names a range twice', lines: '0-10\n0-10\n', done: pairs('0-10') },
    { name: 'of everything', lines: '0-100\n', done: pairs('0-100') },
    { name: 'whose last line was cut off', lines: '0-10\n10-2', done: pairs('0-10') },
  ];
  for (const { name, lines, done } of rows) {
    test(`${name} is read`, () => {
      const journal = parseJournal(`${journalText({ ...HEADER, done: [] })}${lines}`);
      assert.deepEqual(journal, { ...HEADER, done: done.map(([start, end]) => ({ start, end })) });
    });
  }

  test('says what was written into it, whatever the key', () => {
    for (const key of ['a b', 'new\nline', '"', '\u{1f600}', '__proto__']) {
      const journal = { ...HEADER, key, done: [{ start: 3, end: 9 }] };
      assert.deepEqual(parseJournal(journalText(journal) + rangeLine({ start: 20, end: 21 })), {
        ...journal,
        done: [...journal.done, { start: 20, end: 21 }],
      });
    }
  });

  const header = (more: object): string => `${JSON.stringify({ version: 1, ...HEADER, ...more })}\n`;
  const planted: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a header that was cut off', header({}).slice(0, -1)],
    ['no header', '0-10\n'],
    ['something else than JSON', 'key: x\n'],
    ['another version', header({ version: 2 })],
    ['more than we write', header({ more: 1 })],
    ['a size below nothing', header({ size: -1 })],
    ['a size beyond counting', header({ size: 2 ** 53 })],
    ['a size that is none', header({ size: '100' })],
    ['an ETag that would end the header it is sent in', header({ etag: '"a"\r\nx: y' })],
    ['no ETag', header({ etag: '' })],
    ['a key without end', header({ key: 'k'.repeat(10_000) })],
    ['a range that is none', `${header({})}0-0\n`],
    ['a range that runs backwards', `${header({})}10-5\n`],
    ['a range beyond the object', `${header({})}0-101\n`],
    ['a range that begins before it', `${header({})}-5-10\n`],
    ['a number of another kind', `${header({})}0x0-0xa\n`],
    ['a number beyond counting', `${header({})}0-${'9'.repeat(30)}\n`],
    ['an empty line', `${header({})}\n0-10\n`],
    ['words', `${header({})}everything\n`],
    ['JSON without end', `${'['.repeat(100_000)}\n`],
  ];
  for (const [name, text] of planted) {
    test(`with ${name} is none`, () => assert.equal(parseJournal(text), undefined));
  }
});

describe('whatever a journal says', () => {
  const Range = tuple(nat(100), nat(100))
    .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }))
    .filter(({ start, end }) => start < end);
  const Line = oneof(
    string(),
    Range.map((range) => rangeLine(range).trim()),
  );

  test('it is read as it was written, each byte once', () => {
    assertProperty(
      property(array(Range), (ranges) => {
        const { done } = parseJournal(journalText({ ...HEADER, done: ranges })) ?? assert.fail('none');
        for (let byte = 0; byte < HEADER.size; byte += 1) {
          const isIn = ({ start, end }: ByteRange): boolean => start <= byte && byte < end;
          assert.equal(done.filter(isIn).length, ranges.some(isIn) ? 1 : 0);
        }
        assert.equal(bytesIn(done) + bytesIn(missingRanges(HEADER.size, done)), HEADER.size);
      }),
      RUNS,
    );
  });

  test('nothing is thrown, and no byte is outside of the object', () => {
    assertProperty(
      property(array(Line), nat(), (lines, cut) => {
        const text = `${journalText({ ...HEADER, done: [] })}${lines.join('\n')}\n`;
        for (const planted of [text, text.slice(0, cut % (text.length + 1))]) {
          for (const { start, end } of parseJournal(planted)?.done ?? [])
            assert.ok(start >= 0 && start < end && end <= HEADER.size);
        }
      }),
      RUNS,
    );
  });
});

describe('what is missing', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['', '0-100'],
    ['0-10', '10-100'],
    ['90-100', '0-90'],
    ['10-20 40-50', '0-10 20-40 50-100'],
    ['0-100', ''],
  ];
  for (const [done, missing] of rows) {
    test(`beside ${done === '' ? 'nothing' : done} is ${missing === '' ? 'nothing' : missing}`, () => {
      const ranges = missingRanges(100, asRanges(done));
      assert.deepEqual(ranges, asRanges(missing));
      assert.equal(bytesIn(ranges) + bytesIn(asRanges(done)), 100);
    });
  }

  test('of an empty object is nothing', () => assert.deepEqual(missingRanges(0, []), []));
});

function pairs(text: string): readonly (readonly [number, number])[] {
  return asRanges(text).map(({ start, end }) => [start, end] as const);
}

function asRanges(text: string): readonly ByteRange[] {
  const words = text.split(' ').filter((word) => word !== '');
  return words.map((word) => {
    const [start = 0, end = 0] = word.split('-').map(Number);
    return { start, end };
  });
}
