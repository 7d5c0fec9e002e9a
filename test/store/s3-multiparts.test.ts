import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { S3Settings } from '../../src/store/s3-access.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { chunksOf, MiB } from './bodies.ts';
import { multipartsConformance, partOf } from './multiparts-conformance.ts';
import { s3Settings, staticKeys, withS3Store } from './s3-settings.ts';

let minio: Minio;
const opened: S3Store[] = [];

before(async () => {
  minio = await startMinio();
});
after(async () => {
  for (const store of opened) store.close();
  await minio.stop();
});

for (const prefix of ['models', '']) {
  describe(`a bucket takes parts, with the prefix '${prefix}'`, () => {
    multipartsConformance(async () => {
      const store = await S3Store.open(settingsFor(await minio.createBucket(), prefix));
      opened.push(store);
      return { store, multiparts: store.multiparts };
    });
  });
}

test('an upload lies below the prefix', async () => {
  const bucket = await minio.createBucket();
  await withS3Store(settingsFor(bucket), async ({ multiparts }) => {
    const upload = await multiparts.create('k');
    await multiparts.putPart(upload, partOf(1, Buffer.from('x')));
    await multiparts.complete(upload, await multiparts.parts(upload));
  });
  assert.deepEqual([...(await minio.objects(bucket)).keys()], ['models/k']);
});

test('parts that many send at once are all kept', async () => {
  await withS3Store(settingsFor(await minio.createBucket()), async ({ multiparts }) => {
    const upload = await multiparts.create('k');
    const numbers = Array.from({ length: 40 }, (_, index) => index + 1);
    await Promise.all(
      numbers.map((number) => multiparts.putPart(upload, partOf(number, Buffer.alloc(100_000, number)))),
    );
    assert.deepEqual(
      (await multiparts.parts(upload)).map(({ number }) => number),
      numbers,
    );
  });
});

test('what putLarge began and another one finds is an upload as any other', async () => {
  await withS3Store(settingsFor(await minio.createBucket()), async (store) => {
    const bytes = Buffer.alloc(10 * MiB);
    let found: number | undefined;
    async function* chunks(): AsyncGenerator<Buffer> {
      yield* chunksOf(bytes.subarray(0, 9 * MiB), MiB);
      while ((found = (await store.multiparts.list('k')).length) === 0);
      yield bytes.subarray(9 * MiB);
    }
    await store.putLarge('k', chunks(), { size: bytes.length, partSize: 5 * MiB });
    assert.equal(found, 1);
    assert.deepEqual(await store.multiparts.list('k'), []);
  });
});

test('MinIO lists no upload by prefix, so that none is abandoned, and nothing fails', async () => {
  await withS3Store(settingsFor(await minio.createBucket()), async (store) => {
    await store.multiparts.create('k');
    assert.equal(await store.abandonUploads(Date.now() + 60_000), 0);
  });
});

test('without rights, the errors are those of the store', async () => {
  const bucket = await minio.createBucket();
  const settings = settingsFor(bucket);
  const credentials = { ...settings.credentials, keys: undefined, anonymous: true };
  await withS3Store({ ...settings, credentials }, async (store) => {
    const { multiparts } = store;
    const upload = { key: 'k', id: 'u', initiated: 0 };
    const denied = { code: 'store-denied' };
    await assert.rejects(multiparts.list('k'), denied);
    await assert.rejects(multiparts.create('k'), denied);
    await assert.rejects(multiparts.putPart(upload, partOf(1, Buffer.alloc(3 * MiB))), denied);
    await assert.rejects(multiparts.complete(upload, []), denied);
    assert.equal(await store.abandonUploads(Date.now()), 0);
  });
});

function settingsFor(bucket: string, prefix = 'models'): S3Settings {
  const credentials = staticKeys(minio.accessKeyId, minio.secretAccessKey);
  return s3Settings({ bucket, prefix, endpoint: minio.endpoint, credentials });
}
