import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startMinio, type Minio } from '../support/minio.ts';
import { chunksOf, contentOf, drain, listed, MiB, soon } from './bodies.ts';
import { answerError, answerPage, forwardTo, withServer, type Script, type Seen } from './scripted-s3.ts';
import { NO_CREDENTIALS, s3Settings, staticKeys, withS3Store } from './s3-settings.ts';

let minio: Minio;
before(async () => {
  minio = await startMinio();
});
after(() => minio.stop());

const PART = 5 * MiB;

test('every byte that is sent carries a signed hash of itself, and no checksum that providers refuse', async () => {
  await throughMinio(async (settings, seen) => {
    const large = randomBytes(2 * PART + 99);
    await withS3Store(settings, async (store) => {
      await store.put('small', Buffer.from('hello'));
      await store.put('empty', Buffer.alloc(0));
      await store.putLarge('large', chunksOf(large, MiB), { size: large.length, partSize: PART });
      await store.putLarge('one part', chunksOf(Buffer.from('x'), 1), { size: 1, partSize: PART });
      assert.ok((await contentOf(store, 'large')).equals(large));
    });
    const puts = seen.filter(({ method }) => method === 'PUT');
    assert.equal(puts.length, 3 + 3);
    for (const put of puts) assertHashed(put);
    for (const request of seen) assertNoChecksums(request);
  });
});

test('parts are cut at the part size, so that all uploaders cut alike', async () => {
  await throughMinio(async (settings, seen) => {
    const bytes = randomBytes(2 * PART + 99);
    await withS3Store(settings, (store) =>
      store.putLarge('k', chunksOf(bytes, MiB - 1), { size: bytes.length, partSize: PART }),
    );
    const parts = seen
      .filter(({ url }) => url.includes('partNumber='))
      .map(({ url, body }) => [Number(/partNumber=(\d+)/.exec(url)?.[1]), body] as const)
      .toSorted(([a], [b]) => a - b);
    assert.deepEqual(
      parts.map(([number, { length }]) => [number, length]),
      [
        [1, PART],
        [2, PART],
        [3, 99],
      ],
    );
    assert.ok(Buffer.concat(parts.map(([, body]) => body)).equals(bytes));
  });
});

test('away from AWS, the bucket is in the path and not in the host', async () => {
  await throughMinio(async (settings, seen) => {
    await withS3Store(settings, (store) => store.put('a b/100%', Buffer.from('x')));
    const [put] = seen;
    assert.equal(put?.url.split('?')[0], `/${settings.bucket}/models/a%20b/100%25`);
    assert.match(put?.headers.host ?? '', /^127\.0\.0\.1:\d+$/);
  });
});

test('a pinned range is one GET with If-Match and Range', async () => {
  await throughMinio(async (settings, seen) => {
    await withS3Store(settings, async (store) => {
      await store.put('k', Buffer.from('0123456789'));
      const { etag = '' } = (await store.head('k')) ?? {};
      const body = await store.get('k', { etag, range: { start: 2, end: 5 } });
      assert.equal(String(await drain(body)), '234');
      const get = seen.find(({ method }) => method === 'GET');
      assert.equal(get?.headers.range, 'bytes=2-4');
      assert.equal(get?.headers['if-match'], etag);
    });
  });
});

test('to open a store is to send nothing', async () => {
  await throughMinio(async (settings, seen) => {
    await withS3Store(settings, () => Promise.resolve());
    assert.deepEqual(seen, []);
  });
});

test('an anonymous store signs nothing', async () => {
  const script: Script = (_, response) => answerPage(response, 'models/k');
  await withServer(script, async ({ endpoint, seen }) => {
    const credentials = { ...NO_CREDENTIALS, anonymous: true };
    await withS3Store({ endpoint, credentials }, async (store) => {
      assert.deepEqual(await listed(store, ''), ['k']);
      assert.match(store.access, /public/);
    });
    assert.equal(seen[0]?.headers.authorization, undefined);
  });
});

test('a completion whose answer was lost is no failure when the object is there', async () => {
  await withServer(losingCompletions(9), async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, (store) => soon(sendTwoParts(store)));
    assert.ok(seen.some(({ method }) => method === 'HEAD'));
  });
});

test('a completion that failed is a failure when another object is there', async () => {
  await withServer(losingCompletions(3), async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      await assert.rejects(soon(sendTwoParts(store)));
    });
  });
});

test('a part that is refused gives the upload up, and takes back what was sent', async () => {
  const script: Script = ({ method, url }, response) => {
    if (url.includes('partNumber=2')) return answerError(response, 403, 'AccessDenied');
    if (method === 'DELETE') return void response.writeHead(204).end();
    return answerUpload(method, url, response);
  };
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, async (store) => {
      await assert.rejects(soon(sendTwoParts(store)), { code: 'store-denied' });
    });
    assert.ok(seen.some(({ method, url }) => method === 'DELETE' && url.includes('uploadId=u1')));
    assert.ok(!seen.some(({ method, url }) => method === 'POST' && url.includes('uploadId=')));
  });
});

const LAST = 9;

function sendTwoParts(store: {
  putLarge: (
    key: string,
    chunks: AsyncIterable<Buffer>,
    options: { size: number; partSize: number },
  ) => Promise<void>;
}): Promise<void> {
  const bytes = Buffer.alloc(PART + LAST);
  return store.putLarge('k', chunksOf(bytes, PART), { size: bytes.length, partSize: PART });
}

/** Drops the connection when asked to complete, then knows nothing of the upload; the object ends with `last` bytes. */
function losingCompletions(last: number): Script {
  let completions = 0;
  return ({ method, url }, response) => {
    const isCompletion = method === 'POST' && url.includes('uploadId=');
    if (isCompletion && (completions += 1) === 1) return void response.destroy();
    if (isCompletion) return answerError(response, 404, 'NoSuchUpload');
    if (method === 'DELETE') return answerError(response, 404, 'NoSuchUpload');
    if (method === 'HEAD')
      return void response.writeHead(200, { 'content-length': PART + last, etag: '"e"' }).end();
    return answerUpload(method, url, response);
  };
}

function answerUpload(method: string, url: string, response: Parameters<Script>[1]): void {
  if (method === 'POST' && url.includes('uploads')) {
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      '<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>models/k</Key><UploadId>u1</UploadId></InitiateMultipartUploadResult>',
    );
  } else response.writeHead(200, { etag: '"part"' }).end();
}

function assertHashed({ url, headers, body }: Seen): void {
  const hash = headers['x-amz-content-sha256'];
  const hex = createHash('sha256').update(body).digest('hex');
  const md5 = createHash('md5').update(body).digest('base64');
  assert.ok(hash === hex || headers['content-md5'] === md5, `${url}: ${String(hash)}`);
  assert.match(headers.authorization ?? '', /SignedHeaders=[^,]*(x-amz-content-sha256|content-md5)/);
}

function assertNoChecksums({ url, headers }: Seen): void {
  const names = Object.keys(headers).filter((name) => /^x-amz-(checksum|sdk-checksum|trailer)/.test(name));
  assert.deepEqual(names, [], url);
  assert.doesNotMatch(headers['content-encoding'] ?? '', /aws-chunked/);
  assert.doesNotMatch(url, /x-id=.*checksum/);
}

async function throughMinio(
  work: (settings: ReturnType<typeof s3Settings>, seen: readonly Seen[]) => Promise<void>,
): Promise<void> {
  const bucket = await minio.createBucket();
  const credentials = staticKeys(minio.accessKeyId, minio.secretAccessKey);
  await withServer(forwardTo(minio.endpoint), ({ endpoint, seen }) =>
    work(s3Settings({ bucket, endpoint, credentials }), seen),
  );
}
