import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { S3Store } from '../../src/store/s3-store.ts';
import { MiB, soon } from './bodies.ts';
import { md5Of, partOf, until } from './multiparts-conformance.ts';
import { s3Settings, withS3Store } from './s3-settings.ts';
import { answerError, withServer, type EarlyScript, type Script } from './scripted-s3.ts';

const UPLOAD = { key: 'k', id: 'u1', initiated: 0 };
const TAKEN = { etag: '"e"', 'content-length': 0 };
const takes: Script = (_, response) => void response.writeHead(200, TAKEN).end();

describe('a connection that was kept', () => {
  test('and is closed when it is used again: the part is sent once more, on another one', async () => {
    const bytes = randomBytes(3 * MiB);
    let requests = 0;
    const closesSecond: EarlyScript = (incoming) => {
      requests += 1;
      if (requests !== 2) return false;
      incoming.socket.destroy();
      return true;
    };
    await withServer(
      takes,
      async ({ endpoint, seen, connections }) => {
        await withS3Store({ endpoint }, async ({ multiparts }) => {
          await soon(multiparts.putPart(UPLOAD, partOf(1, Buffer.from('first'))));
          await soon(multiparts.putPart(UPLOAD, partOf(2, bytes)));
        });
        assert.equal(connections.size, 2);
        assert.ok(seen[1]?.body.equals(bytes));
      },
      closesSecond,
    );
  });

  test('and refuses something is used again', async () => {
    const script: Script = (request, response, count) =>
      count === 1 ? answerError(response, 503, 'SlowDown') : takes(request, response, count);
    await withServer(script, async ({ endpoint, connections }) => {
      await withS3Store({ endpoint }, async ({ multiparts }) => {
        await assert.rejects(multiparts.putPart(UPLOAD, partOf(1, Buffer.from('x'))), {
          code: 'store-throttled',
        });
        await soon(multiparts.putPart(UPLOAD, partOf(1, Buffer.from('x'))));
      });
      assert.equal(connections.size, 1);
    });
  });
});

describe('what our own client cannot read goes by the SDK from then on, which is told once', () => {
  for (const [what, unusual] of [
    ['an answer in chunks', ((_, response) => void response.writeHead(200, { etag: '"e"' }).end()) as Script],
    [
      'an answer without an ETag',
      ((_, response) => void response.writeHead(200, { 'content-length': 0 }).end()) as Script,
    ],
  ] as const) {
    test(what, async () => {
      const script: Script = (request, response, count) =>
        (count === 1 ? unusual : takes)(request, response, count);
      await withServer(script, async ({ endpoint, seen }) => {
        const told: string[] = [];
        const store = await S3Store.open(s3Settings({ endpoint }), { onOnlySdk: (why) => told.push(why) });
        const bytes = randomBytes(2 * MiB);
        for (const number of [1, 2])
          assert.equal(await soon(store.multiparts.putPart(UPLOAD, partOf(number, bytes))), 'e');
        store.close();
        assert.equal(told.length, 1);
        assert.ok(seen.every(({ body }) => body.equals(bytes)));
        assert.deepEqual(
          seen.map(({ headers }) => /aws-sdk/.test(headers['user-agent'] ?? '')),
          [false, true, true],
        );
      });
    });
  }

  test('a refusal that says nothing of the object', async () => {
    const script: Script = (request, response, count) =>
      count === 1 ? answerError(response, 403, 'AccessDenied') : takes(request, response, count);
    await withServer(script, async ({ endpoint, seen }) => {
      await withS3Store({ endpoint }, (store) => soon(store.put('k', Buffer.from('hello'))));
      assert.deepEqual(
        seen.map(({ body }) => String(body)),
        ['hello', 'hello'],
      );
    });
  });

  test('a setting says so', async () => {
    await withServer(takes, async ({ endpoint, seen }) => {
      await withS3Store({ endpoint, onlySdk: 'a proxy' }, async (store) => {
        await soon(store.multiparts.putPart(UPLOAD, partOf(1, Buffer.from('x'))));
        await soon(store.put('k', Buffer.from('x')));
      });
      assert.ok(seen.every(({ headers }) => /aws-sdk/.test(headers['user-agent'] ?? '')));
    });
  });
});

test('a part that is refused in chunks: that its upload is gone is asked for, and the part not sent again', async () => {
  const script: Script = ({ method }, response) => {
    if (method === 'GET') return answerError(response, 404, 'NoSuchUpload');
    response.writeHead(404, { 'content-type': 'application/xml' });
    response.end('<Error><Code>NoSuchUpload</Code></Error>');
  };
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      await assert.rejects(soon(multiparts.putPart(UPLOAD, partOf(1, Buffer.from('x')))), {
        code: 'object-upload-gone',
      });
    });
    assert.deepEqual(
      seen.map(({ method }) => method),
      ['PUT', 'GET'],
    );
  });
});

test('a bad moment of a small object is over after another try', async () => {
  const script: Script = (request, response, count) =>
    count < 3 ? answerError(response, 503, 'SlowDown') : takes(request, response, count);
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, (store) => soon(store.put('k', Buffer.from('x'))));
    assert.equal(seen.length, 3);
  });
});

test('a store that takes nothing any more is given up', async () => {
  const silent: EarlyScript = (incoming) => {
    incoming.pause();
    return true;
  };
  await withServer(
    takes,
    async ({ endpoint }) => {
      await withS3Store({ endpoint, idleTimeout: 400 }, async ({ multiparts }) => {
        await assert.rejects(soon(multiparts.putPart(UPLOAD, partOf(1, Buffer.alloc(64 * MiB)))), {
          code: 'store-stalled',
        });
      });
    },
    silent,
  );
});

test('who waits for the next chunk does not wait for the store', async () => {
  await withServer(takes, async ({ endpoint }) => {
    await withS3Store({ endpoint, idleTimeout: 200 }, async ({ multiparts }) => {
      async function* chunks(): AsyncGenerator<Buffer> {
        yield Buffer.from('be');
        await sleep(700);
        yield Buffer.from('gin');
      }
      const part = { number: 1, size: 5, md5: md5Of(Buffer.from('begin')), chunks };
      assert.equal(await soon(multiparts.putPart(UPLOAD, part)), 'e');
    });
  });
});

for (const onlySdk of [undefined, 'the test']) {
  test(`a chunk is lent only until the next one is asked for${onlySdk ? ', by the SDK too' : ''}`, async () => {
    let isReading = false;
    await withServer(
      takes,
      async ({ endpoint, seen }) => {
        await withS3Store({ endpoint, onlySdk }, async ({ multiparts }) => {
          const memory = Buffer.alloc(MiB);
          async function* chunks(): AsyncGenerator<Buffer> {
            for (let count = 0; count < 8; count += 1) {
              isReading ||= count === 7;
              yield memory.fill(count);
            }
          }
          const part = { number: 1, size: 8 * MiB, md5: md5Of(Buffer.alloc(0)), chunks };
          await soon(multiparts.putPart(UPLOAD, part));
        });
        const body = seen[0]?.body ?? Buffer.alloc(0);
        for (let count = 0; count < 8; count += 1)
          assert.ok(body.subarray(count * MiB, (count + 1) * MiB).equals(Buffer.alloc(MiB, count)));
      },
      (incoming) => {
        // Until the connection holds all that it can.
        incoming.pause();
        void Promise.race([until(() => isReading), sleep(200)]).then(() => incoming.resume());
        return false;
      },
    );
  });
}
