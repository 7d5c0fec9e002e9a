import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../src/store/s3-access.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { contentOf, listed, soon } from './bodies.ts';
import { storeConformance } from './conformance.ts';
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

describe('a bucket is a store', () => {
  storeConformance(async () => {
    const bucket = await minio.createBucket();
    const store = await S3Store.open(settingsFor(bucket));
    opened.push(store);
    return { store, leftovers: (key) => uploadsInProgress(bucket, `models/${key}`) };
  });
});

test('keys lie below the prefix, and the neighbours of the prefix are not ours', async () => {
  const bucket = await minio.createBucket();
  await minio.write(bucket, 'models2/other', 'x');
  await minio.write(bucket, 'mode', 'x');
  await withS3Store(settingsFor(bucket), async (store) => {
    await store.put('k', Buffer.from('x'));
    assert.deepEqual(await listed(store, ''), ['k']);
    assert.equal(store.url, `s3://${bucket}/models`);
  });
  assert.ok((await minio.objects(bucket)).has('models/k'));
});

test('without a prefix, keys are those of the bucket', async () => {
  const bucket = await minio.createBucket();
  await withS3Store({ ...settingsFor(bucket), prefix: '' }, async (store) => {
    await store.put('a/k', Buffer.from('x'));
    assert.deepEqual(await listed(store, ''), ['a/k']);
    assert.equal(String(await contentOf(store, 'a/k')), 'x');
  });
  assert.deepEqual([...(await minio.objects(bucket)).keys()], ['a/k']);
});

test('a marker that a web console made for a folder is no object', async () => {
  const bucket = await minio.createBucket();
  await minio.write(bucket, 'models/hub/', '');
  await withS3Store(settingsFor(bucket), async (store) => {
    assert.deepEqual(await listed(store, ''), []);
  });
});

test('an unknown access key: refused, and the endpoint is named first', async () => {
  const bucket = await minio.createBucket();
  const credentials = staticKeys('nobody', minio.secretAccessKey);
  await withS3Store({ ...settingsFor(bucket), credentials }, async (store) => {
    await assert.rejects(listed(store, ''), (error: { code: string; hint: string; message: string }) => {
      assert.equal(error.code, 'store-credentials-refused');
      assert.match(error.hint, new RegExp(`endpoint.*${minio.endpoint}`));
      return true;
    });
  });
});

test('a wrong secret: refused, and no secret is in the words', async () => {
  const bucket = await minio.createBucket();
  const credentials = staticKeys(minio.accessKeyId, 'not-the-secret');
  await withS3Store({ ...settingsFor(bucket), credentials }, async (store) => {
    await assert.rejects(listed(store, ''), (error: { code: string; hint: string; message: string }) => {
      assert.equal(error.code, 'store-credentials-refused');
      assert.match(error.hint, /secret access key/);
      assert.doesNotMatch(`${error.message} ${error.hint}`, /not-the-secret/);
      return true;
    });
  });
});

test('no such bucket: the hint is the command that makes it', async () => {
  await withS3Store(settingsFor('not-made-yet'), async (store) => {
    const wanted = {
      code: 'store-bucket-missing',
      hint: new RegExp(`aws s3 mb s3://not-made-yet --endpoint-url ${minio.endpoint}`),
    };
    await assert.rejects(listed(store, ''), wanted);
    await assert.rejects(store.get('k'), wanted);
    await assert.rejects(store.put('k', Buffer.from('x')), wanted);
  });
});

test('nobody listens at the port: unreachable, with the endpoint in the message', async () => {
  await withS3Store({ endpoint: 'http://127.0.0.1:9', idleTimeout: 2000 }, async (store) => {
    await assert.rejects(soon(listed(store, '')), {
      code: 'store-unreachable',
      message: /http:\/\/127\.0\.0\.1:9.*ECONNREFUSED/,
    });
  });
});

test('an anonymous request to a bucket that is not public is denied, not a bug', async () => {
  const bucket = await minio.createBucket();
  const credentials = { ...settingsFor(bucket).credentials, keys: undefined, anonymous: true };
  await withS3Store({ ...settingsFor(bucket), credentials }, async (store) => {
    await assert.rejects(listed(store, ''), { code: 'store-denied' });
  });
});

test('two pods that send the same object at once both succeed', async () => {
  const bucket = await minio.createBucket();
  await withS3Store(settingsFor(bucket), async (store) => {
    const bytes = Buffer.alloc(11 * 1024 * 1024, 7);
    const options = { size: bytes.length, partSize: 5 * 1024 * 1024 };
    async function* chunks(): AsyncGenerator<Buffer> {
      yield bytes;
    }
    await Promise.all([store.putLarge('k', chunks(), options), store.putLarge('k', chunks(), options)]);
    assert.ok((await contentOf(store, 'k')).equals(bytes));
  });
  assert.deepEqual(await uploadsInProgress(bucket, 'models/k'), []);
});

function settingsFor(bucket: string): S3Settings {
  const credentials = staticKeys(minio.accessKeyId, minio.secretAccessKey);
  return s3Settings({ bucket, endpoint: minio.endpoint, credentials });
}

/** MinIO lists the uploads of exactly the key that is the prefix. */
async function uploadsInProgress(bucket: string, key: string): Promise<readonly string[]> {
  const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key });
  const { Uploads } = await minio.client().send(command);
  return (Uploads ?? []).map(({ UploadId }) => UploadId ?? '');
}
