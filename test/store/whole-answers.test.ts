import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerTooLarge, TookTooLong, WholeAnswers } from '../../src/store/whole-answers.ts';
import { MiB, soon } from './bodies.ts';
import { withServer, type Script } from './scripted-s3.ts';

const REQUEST = { method: 'GET', target: '/bucket/k?a=b', headers: { 'x-amz-date': 'now' } };

test('an answer is read whole, whatever its status, with its headers by lower-case name', async () => {
  const script: Script = (_, response) => {
    response.writeHead(404, { ETag: '"e"', 'X-Two': ['a', 'b'] });
    response.write('in two ');
    setImmediate(() => response.end('pieces'));
  };
  await asking(script, async (answers, seen) => {
    const { status, headers, body } = await answers.read(REQUEST, undefined);
    assert.deepEqual(
      [status, headers['etag'], headers['x-two'], String(body)],
      [404, '"e"', 'a, b', 'in two pieces'],
    );
    assert.deepEqual([seen[0]?.url, seen[0]?.headers['x-amz-date']], [REQUEST.target, 'now']);
  });
});

test('one connection after the other is one connection, and how long it took to be accepted is known', async () => {
  const ports = new Set<number | undefined>();
  const script: Script = (_, response) => {
    ports.add(response.socket?.remotePort);
    response.end('x');
  };
  await asking(script, async (answers) => {
    assert.equal(answers.connectMs, undefined);
    for (let round = 0; round < 3; round += 1) await answers.read(REQUEST, undefined);
    assert.equal(ports.size, 1);
    assert.ok((answers.connectMs ?? -1) >= 0);
  });
});

const silences: readonly (readonly [string, Script])[] = [
  ['never begins', () => undefined],
  [
    'stops in the middle',
    (_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('only the beginning');
    },
  ],
  [
    'drips for ever',
    (_, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    },
  ],
];
for (const [name, script] of silences)
  test(`an answer that ${name} is given up, and said to have taken too long`, async () => {
    await asking(
      script,
      (answers) => assert.rejects(soon(answers.read(REQUEST, undefined)), TookTooLong),
      200,
    );
  });

test('an abort is its own reason, before the request, in its wait and in the middle of the body', async () => {
  const why = new Error('stopped');
  await asking(silences[0]?.[1] ?? assert.fail(), async (answers, seen) => {
    await assert.rejects(answers.read(REQUEST, AbortSignal.abort(why)), why);
    assert.equal(seen.length, 0);
  });
  for (const [, script] of silences) {
    const stop = new AbortController();
    const stopping: Script = (asked, response, count) => {
      script(asked, response, count);
      setTimeout(() => stop.abort(why), 50);
    };
    await asking(stopping, (answers) => assert.rejects(soon(answers.read(REQUEST, stop.signal)), why));
  }
});

test('an answer without an end to it is not kept in memory', async () => {
  const script: Script = (_, response) => {
    const piece = Buffer.alloc(MiB);
    const more = (): void => void (response.destroyed || response.write(piece, more));
    more();
  };
  await asking(script, (answers) => assert.rejects(soon(answers.read(REQUEST, undefined)), AnswerTooLarge));
});

test('a connection that ends in the middle is an error, and no short answer', async () => {
  const script: Script = (_, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('only the beginning', () => response.destroy());
  };
  await asking(script, (answers) =>
    assert.rejects(soon(answers.read(REQUEST, undefined)), { code: 'ECONNRESET' }),
  );
});

async function asking(
  script: Script,
  work: (
    answers: WholeAnswers,
    seen: readonly { url: string; headers: Record<string, unknown> }[],
  ) => Promise<void>,
  patience = 10_000,
): Promise<void> {
  await withServer(script, async ({ endpoint, seen }) => {
    const { hostname, port } = new URL(endpoint);
    const answers = new WholeAnswers(
      { host: hostname, port: Number(port), isTls: false, ca: undefined },
      patience,
    );
    try {
      await work(answers, seen);
    } finally {
      answers.close();
    }
  });
}
