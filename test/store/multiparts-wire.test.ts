import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, beforeEach, mock, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { chunksOf, contentOf, MiB, soon } from './bodies.ts';
import { md5Of, partOf, until } from './multiparts-conformance.ts';
import { NO_CREDENTIALS, s3Settings, staticKeys, withS3Store } from './s3-settings.ts';
import { answerError, forwardTo, withServer, type EarlyScript, type Script } from './scripted-s3.ts';
import { assertNothingOfTheSdk, assertStreamedPart } from './streamed-part.ts';

const UPLOAD = { key: 'k', id: 'u1', initiated: 0 };
const TAKEN = { etag: '"e"', 'content-length': 0 };
const takes: Script = (_, response) => void response.writeHead(200, TAKEN).end();

let minio: Minio;
before(async () => {
  minio = await startMinio();
});
after(() => minio.stop());

const said: unknown[] = [];
beforeEach(() => {
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const)
    mock.method(console, method, (...words: unknown[]) => said.push(...words));
});
afterEach(() => {
  mock.restoreAll();
  assert.deepEqual(said.splice(0), [], 'the SDK shall not talk');
});

test('a part goes in a stream, with a signed MD5 and nothing that providers refuse', async () => {
  const bucket = await minio.createBucket();
  const credentials = staticKeys(minio.accessKeyId, minio.secretAccessKey);
  await withServer(forwardTo(minio.endpoint), async ({ endpoint, seen }) => {
    await withS3Store(s3Settings({ bucket, endpoint, credentials }), async (store) => {
      const { multiparts } = store;
      const bytes = randomBytes(5 * MiB);
      const upload = await multiparts.create('k');
      await multiparts.putPart(upload, partOf(1, bytes));
      await multiparts.putPart(upload, partOf(2, Buffer.from('end')));
      await multiparts.complete(upload, await multiparts.parts(upload));
      assert.equal((await contentOf(store, 'k')).length, 5 * MiB + 3);
      const puts = seen.filter(({ method }) => method === 'PUT');
      assert.equal(puts.length, 2);
      assertStreamedPart(puts[0]?.headers ?? {}, bytes);
      assert.ok(puts[0]?.body.equals(bytes));
      assert.equal(puts[0]?.url.split('?')[0], `/${bucket}/models/k`);
      for (const { headers } of seen) assertNothingOfTheSdk(headers);
    });
  });
});

test('an anonymous store sends parts unsigned', async () => {
  await withServer(takes, async ({ endpoint, seen }) => {
    const credentials = { ...NO_CREDENTIALS, anonymous: true };
    await withS3Store({ endpoint, credentials }, ({ multiparts }) =>
      soon(multiparts.putPart(UPLOAD, partOf(1, Buffer.from('hello')))),
    );
    assert.equal(seen[0]?.headers.authorization, undefined);
    assert.equal(String(seen[0]?.body), 'hello');
    assertNothingOfTheSdk(seen[0]?.headers ?? {});
  });
});

test('nothing waits for a server that does not answer before it has the body', async () => {
  await withServer(takes, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      const begin = performance.now();
      await soon(multiparts.putPart(UPLOAD, partOf(1, randomBytes(8 * MiB))));
      assert.ok(performance.now() - begin < 900);
    });
  });
});

test('chunks are asked for as the connection takes them, and sent as they come', async () => {
  let received = 0;
  let isReading = false;
  const slow: EarlyScript = (incoming, response) => {
    const read = async (): Promise<void> => {
      for await (const bytes of incoming) {
        received += (bytes as Buffer).length;
        if (received >= 2 * MiB) await until(() => isReading);
      }
      response.writeHead(200, TAKEN).end();
    };
    void read();
    return true;
  };
  const size = 128 * MiB;
  await withServer(
    takes,
    async ({ endpoint }) => {
      await withS3Store({ endpoint }, async ({ multiparts }) => {
        let asked = 0;
        async function* chunks(): AsyncGenerator<Buffer> {
          const chunk = Buffer.alloc(256 * 1024);
          for (; asked < size; asked += chunk.length) {
            // Alone, the first chunks must arrive without the others.
            if (asked === 2 * MiB + 256 * 1024) await until(() => received >= 2 * MiB - 512 * 1024);
            yield chunk;
          }
        }
        const part = { number: 1, size, md5: md5Of(Buffer.alloc(0)), chunks };
        const sending = multiparts.putPart(UPLOAD, part);
        await soon(until(() => received >= 2 * MiB));
        await sleep(300);
        assert.ok(asked - received < 32 * MiB, `${asked} asked for, ${received} taken`);
        isReading = true;
        await soon(sending);
        assert.equal(received, size);
      });
    },
    slow,
  );
});

for (const [status, name, code] of [
  [500, 'InternalError', 'store-failed'],
  [503, 'SlowDown', 'store-throttled'],
  [400, 'BadDigest', 'object-digest-differs'],
  [404, 'NoSuchUpload', 'object-upload-gone'],
] as const) {
  test(`${name} to a part is told at once, and nothing is sent once more`, async () => {
    const script: Script = (_, response) => answerError(response, status, name);
    await withServer(script, async ({ endpoint, seen }) => {
      await withS3Store({ endpoint }, async ({ multiparts }) => {
        await assert.rejects(soon(multiparts.putPart(UPLOAD, partOf(1, randomBytes(MiB)))), { code });
      });
      assert.equal(seen.length, 1);
    });
  });
}

test('a connection that breaks in a part is told, and the part is not sent again', async () => {
  await withServer(
    takes,
    async ({ endpoint, connections }) => {
      await withS3Store({ endpoint }, async ({ multiparts }) => {
        await assert.rejects(soon(multiparts.putPart(UPLOAD, partOf(1, randomBytes(8 * MiB)))), {
          code: 'store-unreachable',
        });
      });
      assert.equal(connections.size, 1);
    },
    (incoming) => {
      incoming.once('data', () => incoming.destroy());
      return true;
    },
  );
});

test('an answer before the body was sent ends the request and its connection', async () => {
  await withServer(
    takes,
    async ({ endpoint, connections }) => {
      await withS3Store({ endpoint }, async ({ multiparts }) => {
        let isLeft = false;
        async function* chunks(): AsyncGenerator<Buffer> {
          try {
            for (let sent = 0; sent < 64; sent += 1) yield Buffer.alloc(MiB);
          } finally {
            isLeft = true;
          }
        }
        const part = { number: 1, size: 64 * MiB, md5: md5Of(Buffer.alloc(0)), chunks };
        await assert.rejects(soon(multiparts.putPart(UPLOAD, part)), { code: 'object-upload-gone' });
        await soon(
          until(() => isLeft && [...connections].every(({ destroyed }) => destroyed)),
          2000,
        );
      });
    },
    (_, response) => {
      answerError(response, 404, 'NoSuchUpload');
      return true;
    },
  );
});

test('an early yes is not believed', async () => {
  await withServer(
    takes,
    async ({ endpoint }) => {
      await withS3Store({ endpoint }, async ({ multiparts }) => {
        async function* chunks(): AsyncGenerator<Buffer> {
          yield Buffer.alloc(MiB);
          yield Buffer.alloc(MiB);
          await sleep(300);
          yield Buffer.alloc(MiB);
        }
        const part = { number: 1, size: 3 * MiB, md5: md5Of(Buffer.alloc(0)), chunks };
        await assert.rejects(soon(multiparts.putPart(UPLOAD, part)), { code: 'store-failed' });
      });
    },
    (incoming, response) => {
      incoming.resume();
      response.writeHead(200, TAKEN).end();
      return true;
    },
  );
});

for (const [how, end] of [
  ['an abort', (stop: AbortController, why: Error) => stop.abort(why)],
  ['chunks that throw', (_: AbortController, why: Error) => Promise.reject(why)],
] as const) {
  test(`${how} ends the request and closes its connection`, async () => {
    await withServer(takes, async ({ endpoint, connections, seen }) => {
      await withS3Store({ endpoint }, async ({ multiparts }) => {
        const stop = new AbortController();
        const why = new ModelCacheError('interrupted', 'stopped');
        async function* chunks(): AsyncGenerator<Buffer> {
          for (let sent = 0; sent < 8; sent += 1) yield Buffer.alloc(MiB);
          await until(() => connections.size === 1);
          await end(stop, why);
          yield Buffer.alloc(MiB);
          await new Promise(() => undefined);
        }
        const part = { number: 1, size: 64 * MiB, md5: md5Of(Buffer.alloc(0)), chunks };
        await assert.rejects(soon(multiparts.putPart(UPLOAD, part, stop.signal), 2000), why);
        await soon(
          until(() => [...connections].every(({ destroyed }) => destroyed)),
          2000,
        );
      });
      assert.deepEqual(seen, []);
    });
  });
}

test('a connection that took a part is used again', async () => {
  await withServer(takes, async ({ endpoint, connections }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      for (let number = 1; number <= 5; number += 1)
        await multiparts.putPart(UPLOAD, partOf(number, randomBytes(MiB)));
    });
    assert.equal(connections.size, 1);
  });
});

test('a server that takes the part and does not answer is given up', async () => {
  await withServer(
    () => undefined,
    async ({ endpoint, seen }) => {
      await withS3Store({ endpoint, idleTimeout: 300 }, async ({ multiparts }) => {
        const part = { ...partOf(1, Buffer.alloc(MiB)), chunks: () => chunksOf(Buffer.alloc(MiB), MiB) };
        await assert.rejects(soon(multiparts.putPart(UPLOAD, part)), {
          code: /^store-(unreachable|stalled)$/,
        });
      });
      assert.equal(seen.length, 1);
    },
  );
});

test("a redirect to the bucket's region is remembered, because a part cannot follow it", async () => {
  const script: Script = ({ headers, method }, response) => {
    if (!(headers.authorization ?? '').includes('/eu-west-1/s3/'))
      return void response.writeHead(301, { 'x-amz-bucket-region': 'eu-west-1' }).end();
    if (method !== 'GET') return takes({ headers, method, url: '', body: Buffer.alloc(0) }, response, 0);
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end('<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>');
  };
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      const wrong = { code: 'store-region-wrong', hint: /eu-west-1/ };
      await assert.rejects(soon(multiparts.putPart(UPLOAD, partOf(1, Buffer.from('x'))), 2000), wrong);
      assert.equal(seen.length, 2);
    });
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      assert.deepEqual(await soon(multiparts.parts(UPLOAD)), []);
      assert.equal(seen.length, 5);
      assert.equal(await soon(multiparts.putPart(UPLOAD, partOf(1, Buffer.from('x')))), 'e');
      assert.equal(seen.length, 6);
    });
  });
});
