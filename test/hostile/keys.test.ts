import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readCatalog } from '../../src/store/read-catalog.ts';
import { listed } from '../store/bodies.ts';
import { s3Settings, staticKeys, withS3Store } from '../store/s3-settings.ts';
import type { S3Settings } from '../../src/store/s3-access.ts';
import { startMinio, type Minio } from '../support/minio.ts';

let minio: Minio;
before(async () => {
  minio = await startMinio();
});
after(() => minio.stop());

const REPO = 'hub/models--org--model';

test('a bucket with keys that XML cannot hold is listed all the same, and none of them is believed', async () => {
  const bucket = await minio.createBucket();
  const keys = [
    'a\u0001b',
    'a\u001b[2Jb',
    'a\u007fb',
    'a\ufffeb',
    'a\tb\nc',
    `${REPO}/refs/\u0002`,
    'x'.repeat(200),
  ];
  for (const key of keys) await minio.write(bucket, `models/${key}`, 'x');
  await minio.write(bucket, `models/${REPO}/blobs/${'0'.repeat(64)}`, 'honest');
  await withS3Store(settingsFor(bucket), async (store) => {
    assert.deepEqual(await listed(store, ''), [...keys, `${REPO}/blobs/${'0'.repeat(64)}`].toSorted());
    const { catalog } = await readCatalog(store, { also: [], acceptUnverified: true });
    assert.deepEqual(
      catalog.trees.flatMap(({ files }) => files.map(({ path }) => path)),
      [`blobs/${'0'.repeat(64)}`],
    );
  });
});

function settingsFor(bucket: string): S3Settings {
  const credentials = staticKeys(minio.accessKeyId, minio.secretAccessKey);
  return s3Settings({ bucket, endpoint: minio.endpoint, credentials });
}
