import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { startMinio, type Minio } from './minio.ts';
import { startRelay } from './relay.ts';

const MIB = 1024 * 1024;

let minio: Minio;
before(async () => {
  minio = await startMinio();
});
after(() => minio.stop());

test('signed requests go through, and their bytes are counted both ways', async (context) => {
  const relay = await startRelay(minio.endpoint);
  context.after(() => relay.stop());
  const client = clientThrough(relay.endpoint);
  const object = { Bucket: await minio.createBucket(), Key: 'a b/c' };
  const body = randomBytes(3 * MIB);
  await client.send(new PutObjectCommand({ ...object, Body: body }));
  assert.ok(relay.bytesSent > body.length && relay.bytesSent < body.length + 10_000, `${relay.bytesSent}`);
  const { Body } = await client.send(new GetObjectCommand(object));
  assert.ok(body.equals(Buffer.from((await Body?.transformToByteArray()) ?? [])));
  assert.ok(relay.bytesReceived > body.length && relay.bytesReceived < body.length + 10_000);
  client.destroy();
});

test('the rate is one for all connections, and bytes leave little by little', async (context) => {
  const relay = await startRelay(minio.endpoint, { uploadBytesPerSecond: 4 * MIB });
  context.after(() => relay.stop());
  const client = clientThrough(relay.endpoint);
  const bucket = await minio.createBucket();
  const steps: number[] = [];
  const start = performance.now();
  const sending = { isDone: false };
  const sent = Promise.all(
    ['a', 'b', 'c'].map((Key) =>
      client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: randomBytes(MIB) })),
    ),
  ).finally(() => (sending.isDone = true));
  while (!sending.isDone) {
    steps.push(relay.bytesSent);
    await sleep(10);
  }
  await sent;
  const rate = relay.bytesSent / ((performance.now() - start) / 1000);
  assert.ok(rate < 4.5 * MIB, `${rate} bytes a second`);
  assert.ok(new Set(steps).size > 5, `seen: ${steps.join()}`);
  client.destroy();
});

test('a store that does not read stops the pod: the relay holds next to nothing', async (context) => {
  const silent = createServer((socket) => socket.pause());
  await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
  const relay = await startRelay(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`, {
    uploadBytesPerSecond: MIB,
  });
  const pod = connect(Number(new URL(relay.endpoint).port), '127.0.0.1');
  context.after(async () => {
    pod.destroy();
    await relay.stop();
    silent.close();
  });
  pod.on('error', () => undefined);
  pod.write(Buffer.alloc(64 * MIB));
  while (relay.bytesSent === 0) await sleep(10);
  await sleep(300);
  assert.ok(relay.bytesSent < 16 * MIB, `${relay.bytesSent}`);
  assert.ok(pod.writableLength > 0, 'the pod still has bytes to send');
});

test('cut ends what is under way, and takes new connections', async (context) => {
  const relay = await startRelay(minio.endpoint, { uploadBytesPerSecond: MIB });
  context.after(() => relay.stop());
  const client = clientThrough(relay.endpoint);
  const bucket = await minio.createBucket();
  const sending = client.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: randomBytes(8 * MIB) }));
  while (relay.bytesSent < MIB / 2) await sleep(10);
  relay.cut();
  await assert.rejects(sending);
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: 'b', Body: 'small' }));
  assert.deepEqual([...(await minio.objects(bucket)).keys()], ['b']);
  client.destroy();
});

test('a store that is not there: the connection is closed', async (context) => {
  const relay = await startRelay('http://127.0.0.1:1');
  context.after(() => relay.stop());
  const socket = connect(Number(new URL(relay.endpoint).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'close');
});

function clientThrough(endpoint: string): S3Client {
  const { accessKeyId, secretAccessKey } = minio;
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
}
