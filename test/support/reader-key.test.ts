import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { startMinio } from './minio.ts';
import { readerKey } from './reader-key.ts';

test('a reader’s key lists and reads, and may not write', async (context) => {
  const minio = await startMinio();
  context.after(() => minio.stop());
  const bucket = await minio.createBucket();
  await minio.write(bucket, 'a', 'content');
  const key = await readerKey(minio);
  const client = new S3Client({
    endpoint: minio.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: {
      accessKeyId: key['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: key['AWS_SECRET_ACCESS_KEY'] ?? '',
      sessionToken: key['AWS_SESSION_TOKEN'] ?? '',
    },
  });
  context.after(() => client.destroy());
  assert.equal((await client.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount, 1);
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: 'a' }));
  assert.equal(await Body?.transformToString(), 'content');
  await assert.rejects(client.send(new PutObjectCommand({ Bucket: bucket, Key: 'b', Body: 'x' })), {
    name: 'AccessDenied',
  });
});
