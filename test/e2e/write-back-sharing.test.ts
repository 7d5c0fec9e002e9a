import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { sha256 } from '../support/hub.ts';
import { makeLargeBlob, type LargeBlob } from '../support/large-blob.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { openUploads } from '../support/open-uploads.ts';
import { startPod } from '../support/pod.ts';
import { finished, modelCache, scratchDir, startModelCache } from '../support/program.ts';
import { startRelay, type Relay } from '../support/relay.ts';
import { makeRepo, put } from '../support/tree.ts';

const MIB = 1024 * 1024;
const PART = 8 * MIB;
const COMMIT = 'c1'.repeat(20);
/** 40 parts. */
const SIZE = 320 * MIB;
const RATE = 16 * MIB;
/** Slow enough that the links are the limit, and not the processors of this machine. */
const POD_RATE = 6 * MIB;

describe('pods that hold the same blob send it together', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  for (const count of [2, 4, 8]) {
    test(`${count} uploads into an empty bucket: at most 1.3 times its size leaves them`, async (context) => {
      const { blob, bucket, pods } = await podsWith(context, minio, count);
      const results = await Promise.all(
        pods.map(async ({ env }) => modelCache(['upload', '--json'], { env })),
      );
      for (const { code, stderr } of results) assert.equal(code, 0, stderr);
      const sent = pods.reduce((sum, { relay }) => sum + relay.bytesSent, 0);
      context.diagnostic(
        `${count} pods: ${(sent / SIZE).toFixed(3)} times the size; each: ${pods.map(({ relay }) => (relay.bytesSent / MIB).toFixed()).join(', ')} MiB`,
      );
      await assertRight(context, minio, bucket, blob);
      assert.ok(sent <= 1.3 * SIZE, `${sent} bytes`);
    });
  }

  test('write-backs share as uploads do', async (context) => {
    const { blob, bucket, pods } = await podsWith(context, minio, 3);
    const started = await Promise.all(
      pods.map(({ env }) => startPod(context, { env, server: ['sleep', '600'] })),
    );
    await eventually('a bucket that holds what the pods hold', async () =>
      pods[0] === undefined
        ? false
        : (await modelCache(['status', '--check'], { env: pods[0].env })).code === 0,
    );
    await eventually(
      'no upload under way',
      async () => (await openUploads(minio, bucket, blob.key)).length === 0,
    );
    for (const pod of started) await pod.stop();
    const sent = pods.reduce((sum, { relay }) => sum + relay.bytesSent, 0);
    context.diagnostic(`${(sent / SIZE).toFixed(3)} times the size`);
    await assertRight(context, minio, bucket, blob);
    assert.ok(sent <= 1.3 * SIZE, `${sent} bytes`);
  });
});

describe('what is not what its name says stays out of the bucket', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  for (const [what, size] of [
    ['small', 300_000],
    ['large', 24 * MIB],
  ] as const) {
    test(`a ${what} blob that does not match its name: a WARN with wanted and found`, async (context) => {
      const { dir, env, bucket } = await disk(context, minio);
      const wanted = randomBytes(size);
      const found = Buffer.from(wanted);
      found.writeUInt8(found.readUInt8(size >> 1) ^ 1, size >> 1);
      const { 'model.bin': blob = '' } = makeRepo(join(dir, 'hub'), 'org/wrong', COMMIT, {
        'model.bin': { content: wanted },
        'config.json': { content: Buffer.from('{}'), lfs: false },
      });
      put(blob, found);
      const upload = await modelCache(['upload'], { env });
      assert.equal(upload.code, 1, upload.stderr);
      assertTold(upload.stderr.split('\n'), sha256(wanted), sha256(found));
      await assertAbsent(minio, bucket, sha256(wanted));

      const pod = await startPod(context, { env, server: ['sleep', '600'] });
      await eventually('a WARN of the write-back', () =>
        pod.lines.some((line) => line.includes('WARN') && line.includes(sha256(wanted))),
      );
      assertTold(pod.lines, sha256(wanted), sha256(found));
      await assertAbsent(minio, bucket, sha256(wanted));
      await assertTrue(context, minio, bucket);
    });
  }

  test('a blob that is overwritten in place while it is sent', async (context) => {
    const { dir, env, bucket, relay } = await disk(context, minio, RATE);
    const content = randomBytes(96 * MIB);
    const { 'model.bin': blob = '' } = makeRepo(join(dir, 'hub'), 'org/changing', COMMIT, {
      'model.bin': { content },
    });
    const result = finished(startModelCache(['upload'], { env }));
    await eventually('bytes on their way', () => relay.bytesSent > 6 * MIB, 5);
    overwrite(blob, content.length);
    const { code, stderr } = await result;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /WARN: not uploaded: .*blobs/);
    await assertAbsent(minio, bucket, sha256(content));
    await assertTrue(context, minio, bucket);
  });

  test('a plain file that is overwritten in place while it is sent: the next upload takes it', async (context) => {
    const { dir, env, bucket, relay } = await disk(context, minio, RATE);
    const content = randomBytes(96 * MIB);
    const path = join(dir, 'torch/hub/checkpoints/encodec.th');
    put(path, content);
    const result = finished(startModelCache(['upload'], { env }));
    await eventually('bytes on their way', () => relay.bytesSent > 6 * MIB, 5);
    overwrite(path, content.length);
    const { code, stderr } = await result;
    await assertTrue(context, minio, bucket);
    await assertAbsent(minio, bucket, sha256(content));
    assert.equal(code, 1, stderr);
    assert.match(stderr, /WARN: not uploaded: .*changed/);
    const next = await modelCache(['upload'], { env: { ...env, AWS_ENDPOINT_URL: minio.endpoint } });
    assert.equal(next.code, 0, next.stderr);
    const status = await modelCache(['status', '--check'], { env });
    assert.equal(status.code, 0, status.stdout);
    await assertTrue(context, minio, bucket);
  });
});

interface SharingPod {
  readonly relay: Relay;
  readonly env: Record<string, string>;
}

/** Pods that have downloaded the same blob, each on a link of its own. */
async function podsWith(
  context: TestContext,
  minio: Minio,
  count: number,
): Promise<{ readonly blob: LargeBlob; readonly bucket: string; readonly pods: readonly SharingPod[] }> {
  const scratch = await scratchDir(context);
  const bucket = await minio.createBucket();
  const blob = makeLargeBlob(scratch, SIZE);
  const pods: SharingPod[] = [];
  for (let index = 0; index < count; index += 1) {
    const relay = await startRelay(minio.endpoint, { uploadBytesPerSecond: POD_RATE });
    context.after(() => relay.stop());
    const dir = join(scratch, `pod-${index}`);
    blob.linkInto(dir);
    const env = { ...minio.env(bucket), AWS_ENDPOINT_URL: relay.endpoint, MODEL_CACHE_DIR: dir };
    pods.push({ relay, env });
  }
  return { blob, bucket, pods };
}

async function disk(
  context: TestContext,
  minio: Minio,
  uploadBytesPerSecond?: number,
): Promise<{
  readonly dir: string;
  readonly bucket: string;
  readonly relay: Relay;
  readonly env: Record<string, string>;
}> {
  const dir = join(await scratchDir(context), 'models');
  const bucket = await minio.createBucket();
  const limit = uploadBytesPerSecond === undefined ? {} : { uploadBytesPerSecond };
  const relay = await startRelay(minio.endpoint, limit);
  context.after(() => relay.stop());
  const env = { ...minio.env(bucket), AWS_ENDPOINT_URL: relay.endpoint, MODEL_CACHE_DIR: dir };
  return { dir, bucket, relay, env };
}

/** The object is whole, the bucket is true, and nothing is left of the way there. */
async function assertRight(
  context: TestContext,
  minio: Minio,
  bucket: string,
  { key, size }: LargeBlob,
): Promise<void> {
  assert.equal((await minio.objects(bucket)).get(key)?.size, size);
  assert.deepEqual(await openUploads(minio, bucket, key), []);
  await assertTrue(context, minio, bucket);
}

/** Whatever the bucket's manifests name is there and right. */
async function assertTrue(context: TestContext, minio: Minio, bucket: string): Promise<void> {
  const env = { ...minio.env(bucket), MODEL_CACHE_DIR: join(await scratchDir(context), 'models') };
  const keys = [...(await minio.objects(bucket)).keys()];
  const verified = await modelCache(['verify', '--remote'], { env });
  if (keys.some((key) => !key.endsWith('format.json'))) assert.equal(verified.code, 0, verified.stderr);
  const restored = await modelCache(['init', '--strict'], { env });
  const hasManifest = keys.some((key) => key.includes('/manifests/'));
  assert.equal(restored.code, hasManifest ? 0 : 125, restored.stderr);
}

async function assertAbsent(minio: Minio, bucket: string, digest: string): Promise<void> {
  const keys = [...(await minio.objects(bucket)).keys()];
  assert.deepEqual(
    keys.filter((key) => key.includes(digest)),
    [],
  );
  const key = `models/hub/models--org--wrong/blobs/${digest}`;
  assert.deepEqual(await openUploads(minio, bucket, key), []);
}

function assertTold(lines: readonly string[], wanted: string, found: string): void {
  const warning = lines.find((line) => line.includes('WARN') && line.includes(found)) ?? '';
  assert.ok(warning.includes(wanted), lines.join('\n'));
}

/** One byte of each part, so that one is changed before it is read; the size stays. */
function overwrite(path: string, size: number): void {
  const fd = openSync(path, 'r+');
  for (let at = PART >> 1; at < size; at += PART) writeSync(fd, 'model-cache', at);
  closeSync(fd);
}
