import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  array,
  assert as assertProperty,
  asyncProperty,
  constantFrom,
  nat,
  property,
  string,
} from 'fast-check';
import { Connection } from '../../src/wire/connection.ts';
import {
  allHeaders,
  MAX_HEAD_BYTES,
  parseResponseHead,
  UnusualAnswer,
} from '../../src/wire/response-head.ts';
import { soon } from '../store/bodies.ts';
import { Heard } from './heard.ts';
import { GET, plainAnswer, withTcp } from './scripted-tcp.ts';

const OK = 'HTTP/1.1 200 OK';

const refused: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['no status line', 'content-length: 0'],
  ['another protocol', '220 mail ready'],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 0'],
  ['HTTP/2', 'HTTP/2 200\r\ncontent-length: 0'],
  ['a protocol in small letters', 'http/1.1 200 OK'],
  ['a status of two digits', 'HTTP/1.1 20 OK'],
  ['a status of four digits', 'HTTP/1.1 2000 OK'],
  ['an answer that comes before the answer', 'HTTP/1.1 100 Continue'],
  ['hints that come before it', 'HTTP/1.1 103 Early Hints'],
  ['a status that there is not', 'HTTP/1.1 600 OK'],
  ['two spaces before the status', 'HTTP/1.1  200 OK'],
  ['a reason without a space', 'HTTP/1.1 200OK'],
  ['a lone line feed', `${OK}\ncontent-length: 5`],
  ['a lone line feed between headers', `${OK}\r\na: b\ncontent-length: 5`],
  ['a lone carriage return', `${OK}\r\na: b\rc: d`],
  ['a header that is folded', `${OK}\r\na: b\r\n  c`],
  ['a header without a colon', `${OK}\r\ncontent-length 5`],
  ['a header without a name', `${OK}\r\n: 5`],
  ['a space before the colon', `${OK}\r\ncontent-length : 5`],
  ['a space before the name', `${OK}\r\n content-length: 5`],
  ['a name with a character of a comment', `${OK}\r\ncontent(length): 5`],
  ['a NUL in a value', `${OK}\r\na: b\0c`],
  ['a bell in a value', `${OK}\r\na: \u0007`],
  ['a control character beyond ASCII', `${OK}\r\na: \u0085`],
  ['a DEL in a value', `${OK}\r\na: \u007f`],
  ['an empty line', `${OK}\r\n`],
  ['two lengths', `${OK}\r\ncontent-length: 5\r\ncontent-length: 6`],
  ['two lengths that agree', `${OK}\r\ncontent-length: 5\r\nContent-Length: 5`],
  ['two lengths in one', `${OK}\r\ncontent-length: 5, 5`],
  ['a length with a sign', `${OK}\r\ncontent-length: +5`],
  ['a length below nothing', `${OK}\r\ncontent-length: -5`],
  ['a length with a space', `${OK}\r\ncontent-length: 5 5`],
  ['a hexadecimal length', `${OK}\r\ncontent-length: 0x5`],
  ['a length with a point', `${OK}\r\ncontent-length: 5.0`],
  ['a length with an exponent', `${OK}\r\ncontent-length: 5e3`],
  ['an empty length', `${OK}\r\ncontent-length:`],
  ['a length of other digits', `${OK}\r\ncontent-length: \u00b2`],
  ['a length of more digits than any', `${OK}\r\ncontent-length: ${'9'.repeat(16)}`],
  ['two ranges', `${OK}\r\ncontent-range: bytes 0-1/2\r\ncontent-range: bytes 0-1/3`],
  ['two ETags', `${OK}\r\netag: "a"\r\netag: "b"`],
  ['two encodings for the way', `${OK}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: gzip`],
  ['two words about the connection', `${OK}\r\nconnection: close\r\nconnection: keep-alive`],
];
describe('a head that is not understood completely is refused:', () => {
  for (const [name, text] of refused)
    test(name, () => assert.throws(() => parseResponseHead(text), UnusualAnswer));
});

const read: readonly { name: string; text: string; head: readonly [number, number | undefined, boolean] }[] =
  [
    { name: 'plain', text: `${OK}\r\ncontent-length: 5`, head: [200, 5, true] },
    { name: 'without a reason', text: 'HTTP/1.1 206\r\ncontent-length: 5', head: [206, 5, true] },
    { name: 'with an empty reason', text: 'HTTP/1.1 206 \r\ncontent-length: 5', head: [206, 5, true] },
    { name: 'with tabs around a value', text: `${OK}\r\ncontent-length:\t5\t`, head: [200, 5, true] },
    { name: 'without a space', text: `${OK}\r\ncontent-length:5`, head: [200, 5, true] },
    { name: 'with leading noughts', text: `${OK}\r\ncontent-length: 005`, head: [200, 5, true] },
    { name: 'without a length', text: OK, head: [200, undefined, true] },
    { name: 'in chunks', text: `${OK}\r\ntransfer-encoding: chunked`, head: [200, undefined, true] },
    {
      name: 'in chunks, and with a length, which does not count then',
      text: `${OK}\r\ncontent-length: 5\r\ntransfer-encoding: chunked`,
      head: [200, undefined, true],
    },
    {
      name: 'compressed',
      text: `${OK}\r\ncontent-length: 5\r\ncontent-encoding: gzip`,
      head: [200, undefined, true],
    },
    {
      name: 'as another protocol',
      text: `${OK}\r\ncontent-length: 5\r\nupgrade: h2c`,
      head: [200, undefined, true],
    },
    { name: 'without a body by its status', text: 'HTTP/1.1 204 No Content', head: [204, 0, true] },
    {
      name: 'at the end of its connection',
      text: `${OK}\r\nconnection: Close\r\ncontent-length: 5`,
      head: [200, 5, false],
    },
    {
      name: 'on a connection that is kept',
      text: `${OK}\r\nconnection: Keep-Alive`,
      head: [200, undefined, true],
    },
    {
      name: 'with other words on the connection',
      text: `${OK}\r\nconnection: keep-alive, x`,
      head: [200, undefined, false],
    },
    { name: 'of a refusal', text: 'HTTP/1.1 503 Slow Down\r\ncontent-length: 0', head: [503, 0, true] },
  ];
describe('what follows a head is known when it comes', () => {
  for (const { name, text, head } of read)
    test(name, () => {
      const { status, contentLength, keepsAlive } = parseResponseHead(text);
      assert.deepEqual([status, contentLength, keepsAlive], head);
    });

  test('with those headers that say what follows; all others are there, by lower-case name; of one that comes twice, and means nothing here, the last one', () => {
    const head = parseResponseHead(`${OK}\r\nETag:\t"a" \r\nx-noise: 1\r\nX-Noise: 2\r\nx-empty:`);
    assert.deepEqual([...head.headers], [['etag', '"a"']]);
    assert.deepEqual(allHeaders(head), { etag: '"a"', 'x-noise': '2', 'x-empty': '' });
  });
});

test('whatever comes, it is read or refused, and a length is a number of bytes', () => {
  const lines = constantFrom(OK, 'content-length: 5', 'etag: "e"', '', 'connection: close', 'a:b', ' x');
  assertProperty(
    property(array(lines), string(), constantFrom('\r\n', '\n', '\r'), (parts, noise, end) => {
      try {
        const { contentLength = 0 } = parseResponseHead([OK, ...parts, noise].join(end));
        assert.ok(Number.isSafeInteger(contentLength) && contentLength >= 0);
      } catch (error) {
        assert.ok(error instanceof UnusualAnswer, String(error));
      }
    }),
    { seed: 5, numRuns: 500 },
  );
});

test('an answer that is split anywhere is read the same', async () => {
  const answer = plainAnswer('the body\r\n\r\n', 'etag: "e"\r\nx-noise: a b\r\n', '206 Partial Content');
  const memory = Buffer.alloc(1024);
  await withTcp(
    () => undefined,
    async ({ endpoint, sockets }) => {
      const events = { onSession: () => undefined, onEnd: () => undefined };
      const connection = new Connection(endpoint, memory, undefined, events);
      const splits = asyncProperty(array(nat(answer.length), { maxLength: 4 }), async (places) => {
        const heard = new Heard();
        const done = connection.exchange({ head: GET }, heard);
        await until(() => sockets.length > 0);
        const ends = [...places.toSorted((a, b) => a - b), answer.length];
        for (const [index, end] of ends.entries()) {
          sockets[0]?.write(answer.slice(ends[index - 1] ?? 0, end));
          // So that each piece comes by itself.
          await new Promise(setImmediate);
        }
        await soon(done);
        assert.deepEqual(heard.heads, [parseResponseHead(answer.slice(0, answer.indexOf('\r\n\r\n')))]);
        assert.equal(heard.body, 'the body\r\n\r\n');
      });
      await assertProperty(splits, {
        seed: 5,
        numRuns: 100,
        examples: Array.from({ length: answer.length }, (_, at) => [[at]] as [number[]]),
      });
      connection.destroy();
    },
  );
});

test('a head that does not end is refused before it has taken much memory', async () => {
  const noise = `x-noise: ${'n'.repeat(1000)}\r\n`;
  await withTcp(
    (socket) => socket.write(`${OK}\r\n${noise.repeat(MAX_HEAD_BYTES / 1000 + 20)}`),
    async ({ endpoint }) => {
      const events = { onSession: () => undefined, onEnd: () => undefined };
      const connection = new Connection(endpoint, Buffer.alloc(100_000), undefined, events);
      const heard = new Heard();
      await assert.rejects(soon(connection.exchange({ head: GET }, heard)), UnusualAnswer);
      assert.deepEqual(heard.heads, []);
    },
  );
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise(setImmediate);
}
