import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, LOOKS, Silence, type Endpoint } from '../../src/wire/connection.ts';
import { UnusualAnswer } from '../../src/wire/response-head.ts';
import { soon } from '../store/bodies.ts';
import { makeCertificate, NO_OPENSSL } from '../support/certificate.ts';
import { Heard } from './heard.ts';
import { GET, plainAnswer, withTcp, type Answer } from './scripted-tcp.ts';

const scratch = mkdtempSync(join(tmpdir(), 'connection-'));
after(() => rmSync(scratch, { recursive: true }));

const SMALL_MEMORY = 64;

interface Row {
  readonly name: string;
  readonly answer: Answer;
  /** What the exchange throws; undefined: it ends well. */
  readonly throws?: object | ErrorConstructor | typeof UnusualAnswer;
  readonly body?: string;
  readonly isUsable: boolean;
}

const rows: readonly Row[] = [
  { name: 'a body', answer: (socket) => socket.write(plainAnswer('body')), body: 'body', isUsable: true },
  { name: 'no body', answer: (socket) => socket.write(plainAnswer('')), body: '', isUsable: true },
  {
    name: 'a body larger than the memory',
    answer: (socket) => socket.write(plainAnswer('0123456789'.repeat(100))),
    body: '0123456789'.repeat(100),
    isUsable: true,
  },
  {
    name: 'the last answer of its connection',
    answer: (socket) => socket.write(plainAnswer('body', 'connection: close\r\n')),
    body: 'body',
    isUsable: false,
  },
  {
    name: 'an answer, and then the end',
    answer: (socket) => socket.end(plainAnswer('body', 'connection: close\r\n')),
    body: 'body',
    isUsable: false,
  },
  {
    name: 'an end in the middle of a body',
    answer: (socket) => socket.end(plainAnswer('body').slice(0, -1)),
    throws: { code: 'ECONNRESET', message: 'the connection ended early' },
    isUsable: false,
  },
  {
    name: 'an end before the body',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n'),
    throws: { code: 'ECONNRESET', message: 'the connection ended early' },
    isUsable: false,
  },
  {
    name: 'an end in the middle of a head',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'),
    throws: { code: 'ECONNRESET', message: 'no answer came' },
    isUsable: false,
  },
  {
    name: 'no answer, on a connection that was not used before',
    answer: (socket) => socket.end(),
    throws: { code: 'ECONNRESET', message: 'no answer came' },
    isUsable: false,
  },
  {
    name: 'a reset in the middle of a body',
    answer: (socket) => socket.write(plainAnswer('body').slice(0, -1), () => socket.resetAndDestroy()),
    throws: { code: 'ECONNRESET' },
    isUsable: false,
  },
  {
    name: 'more bytes than were announced',
    answer: (socket) => socket.write(`${plainAnswer('body')}s`),
    throws: UnusualAnswer,
    isUsable: false,
  },
  {
    name: 'a body without a length, which would end with its connection',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nbody'),
    throws: UnusualAnswer,
    isUsable: false,
  },
  {
    name: 'a body in chunks',
    answer: (socket) =>
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n'),
    throws: UnusualAnswer,
    isUsable: false,
  },
  {
    name: 'no HTTP',
    answer: (socket) => socket.write('220 mail ready\r\n\r\n'),
    throws: UnusualAnswer,
    isUsable: false,
  },
];

describe('what comes is read, or is an error, and never a short success:', () => {
  for (const { name, answer, throws, body, isUsable } of rows)
    test(name, async () => {
      await withTcp(answer, async ({ endpoint }) => {
        const connection = connect(endpoint);
        const heard = new Heard();
        const done = soon(connection.exchange({ head: GET }, heard));
        if (throws === undefined) {
          await done;
          assert.equal(heard.body, body);
        } else await assert.rejects(done, throws);
        assert.equal(connection.isUsable, isUsable);
        connection.destroy();
      });
    });
});

test('one request after the other goes over it, each with its own answer', async () => {
  await withTcp(
    (socket, { nth }) => socket.write(plainAnswer(`body ${nth}`)),
    async ({ endpoint, asked }) => {
      const connection = connect(endpoint);
      for (const nth of [1, 2, 3]) {
        const heard = new Heard();
        await soon(connection.exchange({ head: GET }, heard));
        assert.equal(heard.body, `body ${nth}`);
      }
      assert.deepEqual(new Set(asked.map(({ connection }) => connection)), new Set([1]));
      assert.deepEqual(
        asked.map(({ head }) => head),
        [GET, GET, GET],
      );
      assert.ok((connection.connectMs ?? -1) >= 0);
      connection.destroy();
    },
  );
});

test('bytes that nobody asked for end it', async () => {
  await withTcp(
    (socket) =>
      socket.write(plainAnswer('body'), () => setTimeout(() => socket.write(plainAnswer('more')), 20)),
    async ({ endpoint }) => {
      const connection = connect(endpoint);
      const heard = new Heard();
      await soon(connection.exchange({ head: GET }, heard));
      while (connection.isUsable) await sleep(5);
      assert.equal(heard.body, 'body');
    },
  );
});

test('what the reader throws is what the exchange throws, and nothing more is read', async () => {
  for (const when of ['begin', 'take'] as const) {
    await withTcp(
      (socket) => socket.write(plainAnswer('body')),
      async ({ endpoint }) => {
        const why = new Error('no');
        const heard = new Heard();
        heard[when] = () => {
          throw why;
        };
        const connection = connect(endpoint);
        await assert.rejects(soon(connection.exchange({ head: GET }, heard)), why);
        assert.equal(connection.isUsable, false);
      },
    );
  }
});

test('silence is what several looks in a row have seen; whatever comes breaks it', async () => {
  await withTcp(
    (socket) => socket.write(plainAnswer('12345').slice(0, -5)),
    async ({ endpoint, asked, sockets }) => {
      const connection = connect(endpoint);
      const heard = new Heard();
      const done = soon(connection.exchange({ head: GET }, heard));
      done.catch((error: unknown) => assert.ok(error instanceof Silence));
      while (asked.length === 0 || heard.heads.length === 0) await sleep(1);
      for (const body of ['1', '12', '123']) {
        for (let look = 0; look < LOOKS; look += 1) connection.look();
        sockets[0]?.write(body.slice(-1));
        while (heard.body !== body)
          await soon(sleep(1).then(() => assert.equal(sockets[0]?.destroyed, false)));
      }
      for (let look = 0; look <= LOOKS; look += 1) connection.look();
      await assert.rejects(done, Silence);
    },
  );
});

test('who waits for nothing may be silent', async () => {
  await withTcp(
    (socket) => socket.write(plainAnswer('body')),
    async ({ endpoint }) => {
      const connection = connect(endpoint);
      await soon(connection.exchange({ head: GET }, new Heard()));
      for (let look = 0; look <= 2 * LOOKS; look += 1) connection.look();
      assert.equal(connection.isUsable, true);
      connection.destroy();
    },
  );
});

test('it can be ended at any time, for a reason', async () => {
  const why = new Error('stopped');
  for (const answer of [
    () => undefined,
    (socket) => socket.write(plainAnswer('body').slice(0, -1)),
  ] as Answer[]) {
    await withTcp(answer, async ({ endpoint, asked }) => {
      const connection = connect(endpoint);
      const done = soon(connection.exchange({ head: GET }, new Heard()));
      done.catch(() => undefined);
      while (asked.length === 0) await sleep(2);
      connection.destroy(why);
      assert.equal(connection.isUsable, false);
      await assert.rejects(done, why);
    });
  }
});

test('nobody listens: the error is that of the system', async () => {
  const endpoint = { host: '127.0.0.1', port: 1, isTls: false, ca: undefined };
  const done = connect(endpoint).exchange({ head: GET }, new Heard());
  await assert.rejects(soon(done), { code: 'ECONNREFUSED', syscall: 'connect' });
});

describe('under TLS', { skip: NO_OPENSSL }, () => {
  const trusted =
    NO_OPENSSL === false ? makeCertificate(scratch, { name: 'IP:127.0.0.1', days: 2 }) : assert.fail();
  const other = makeCertificate(scratch, { name: 'DNS:elsewhere.example', days: 2 });
  const past = makeCertificate(scratch, { name: 'IP:127.0.0.1', days: -1 });
  const answer: Answer = (socket) => socket.write(plainAnswer('body'));
  const pem = ({ certificate }: typeof trusted): string => readFileSync(certificate, 'latin1');

  const refusals = [
    { name: 'nobody vouches for', certificate: trusted, ca: undefined, code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    { name: 'is for another name', certificate: other, ca: pem(other), code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    { name: 'has expired', certificate: past, ca: pem(past), code: 'CERT_HAS_EXPIRED' },
  ];
  for (const { name, certificate, ca, code } of refusals)
    test(`a certificate that ${name} is refused before anything is asked`, async () => {
      await withTcp(
        answer,
        async ({ endpoint, asked }) => {
          const done = connect({ ...endpoint, ca }).exchange({ head: GET }, new Heard());
          await assert.rejects(soon(done), { code });
          assert.deepEqual(asked, []);
        },
        certificate,
      );
    });

  test('answers come as they do without, and the session is told, for the next connection to resume', async () => {
    await withTcp(
      answer,
      async ({ endpoint, sockets }) => {
        const trusting = { ...endpoint, ca: pem(trusted) };
        const sessions: Buffer[] = [];
        for (const session of [undefined, () => sessions.at(-1)]) {
          const connection = connect(trusting, session?.(), (fresh) => sessions.push(fresh));
          const heard = new Heard();
          await soon(connection.exchange({ head: GET }, heard));
          assert.equal(heard.body, 'body');
          connection.destroy();
        }
        assert.ok(sessions.length > 0);
        const resumed = sockets.map((socket) =>
          (socket as unknown as { isSessionReused(): boolean }).isSessionReused(),
        );
        assert.deepEqual(resumed.map(Boolean), [false, true]);
      },
      trusted,
    );
  });

  test('a connection that ends in the middle of a body is an error', async () => {
    await withTcp(
      (socket) => socket.end(plainAnswer('body').slice(0, -1)),
      async ({ endpoint }) => {
        const done = connect({ ...endpoint, ca: pem(trusted) }).exchange({ head: GET }, new Heard());
        await assert.rejects(soon(done), { code: 'ECONNRESET' });
      },
      trusted,
    );
  });
});

function connect(
  endpoint: Endpoint,
  session?: Buffer,
  onSession: (session: Buffer) => void = () => undefined,
): Connection {
  return new Connection(endpoint, Buffer.alloc(SMALL_MEMORY), session, { onSession, onEnd: () => undefined });
}
