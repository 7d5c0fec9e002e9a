import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { makeLargeBlob, type LargeBlob } from '../support/large-blob.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { openUploads } from '../support/open-uploads.ts';
import { startPod } from '../support/pod.ts';
import { modelCache, scratchDir } from '../support/program.ts';
import { startRelay } from '../support/relay.ts';
import { seeded } from '../support/seeded.ts';

const MIB = 1024 * 1024;
const PART = 8 * MIB;
/** The last part is a short one. */
const SIZE = 100 * MIB + 3;
const RATE = 64 * MIB;
const KILLS = 20;
/** What one kill may cost: the parts that were on their way. */
const LOST_BY_A_KILL = 4 * PART;
/** Listings, headers and manifests of one pod. */
const TALK = MIB;

/** Of one bucket, from its first pod to the one that completes the object. */
interface Deployment {
  readonly bucket: string;
  bytesSent: number;
  kills: number;
  pods: number;
}

describe('pods that are killed with their whole tree', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test(`${KILLS} kills at random moments of an upload: no lie in the bucket, and nothing is sent from the start again`, async (context) => {
    const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
    context.diagnostic(`to repeat this: TEST_SEED=${seed}`);
    const random = seeded(seed);
    const scratch = await scratchDir(context);
    const blob = makeLargeBlob(scratch, SIZE);
    const dir = join(scratch, 'models');
    let deployment: Deployment = await newDeployment(minio);
    for (let kills = 0; kills < KILLS;) {
      // Half of the pods find the disk of the one before, as a container that was started again does.
      if (random() < 0.5) rmSync(dir, { recursive: true, force: true });
      const moment = await momentIn(minio, deployment, blob, random);
      const wasKilled = await runPod(context, minio, deployment, blob, dir, moment);
      if (wasKilled) kills += 1;
      context.diagnostic(
        `${deployment.bucket}, pod ${deployment.pods}: ${wasKilled ? 'killed' : 'done before it was killed'} at ` +
          `${moment.bytes} bytes and ${moment.later} ms; ${deployment.bytesSent} bytes so far`,
      );
      await assertNoLie(context, minio, deployment.bucket, blob);
      if (kills < KILLS && !(await hasManifest(minio, deployment.bucket))) continue;
      await finish(context, minio, deployment, blob, dir);
      deployment = await newDeployment(minio);
    }
  });
});

interface Moment {
  /** That this pod has sent. */
  readonly bytes: number;
  /** Milliseconds after that. */
  readonly later: number;
}

/** Anywhere in what is left to send, and more often than by chance around the completion and the manifest. */
async function momentIn(
  minio: Minio,
  { bucket }: Deployment,
  { key }: LargeBlob,
  random: () => number,
): Promise<Moment> {
  const isThere = (await minio.objects(bucket)).has(key);
  // The manifest is all that is missing: bytes say nothing.
  if (isThere) return { bytes: 0, later: Math.round(random() * 3000) };
  const [open] = await openUploads(minio, bucket, key);
  const left = Math.max(0, SIZE - (open?.parts.length ?? 0) * PART);
  const isAtTheEnd = left <= 2 * PART || random() < 0.2;
  const bytes = Math.round(isAtTheEnd ? left : random() * Math.min(left, 48 * MIB));
  return { bytes, later: Math.round(random() * (isAtTheEnd ? 120 : 50)) };
}

/** Whether the pod was killed at its moment; false when it was done before. */
async function runPod(
  context: TestContext,
  minio: Minio,
  deployment: Deployment,
  blob: LargeBlob,
  dir: string,
  { bytes, later }: Moment,
): Promise<boolean> {
  rmSync(join(dir, 'hub'), { recursive: true, force: true });
  blob.linkInto(dir);
  const relay = await startRelay(minio.endpoint, { uploadBytesPerSecond: RATE });
  const env = {
    ...minio.env(deployment.bucket),
    AWS_ENDPOINT_URL: relay.endpoint,
    MODEL_CACHE_DIR: dir,
  };
  const pod = await startPod(context, { env, server: ['sleep', '600'] });
  const isDone = (): boolean => pod.lines.some((line) => line.includes('Models uploaded to S3'));
  await eventually('the moment of the kill', () => relay.bytesSent > bytes || isDone(), 5);
  await sleep(later);
  const wasKilled = !isDone();
  await pod.killAll();
  // What the kernel still had to send is sent, or lost: both happen to real pods.
  relay.cut();
  await relay.stop();
  deployment.bytesSent += relay.bytesSent;
  deployment.pods += 1;
  if (wasKilled) deployment.kills += 1;
  return wasKilled;
}

/** Restores into an empty dir, which is what the next pod does. */
async function assertNoLie(
  context: TestContext,
  minio: Minio,
  bucket: string,
  blob: LargeBlob,
): Promise<void> {
  const dir = join(await scratchDir(context), 'models');
  const env = { ...minio.env(bucket), MODEL_CACHE_DIR: dir };
  const isPromised = await hasManifest(minio, bucket);
  const restored = await modelCache(['init', '--strict'], { env });
  assert.equal(restored.code, isPromised ? 0 : 125, restored.stderr);
  assert.equal((await modelCache(['verify'], { env })).code, 0);
  if ((await minio.objects(bucket)).has(blob.key)) {
    const verified = await modelCache(['verify', '--remote'], { env });
    assert.equal(verified.code, 0, verified.stderr);
  }
  rmSync(dir, { recursive: true, force: true });
}

/** A last pod, which nobody kills: the object is there and right, and all pods together have sent it about once. */
async function finish(
  context: TestContext,
  minio: Minio,
  deployment: Deployment,
  blob: LargeBlob,
  dir: string,
): Promise<void> {
  if (!(await hasManifest(minio, deployment.bucket))) {
    const never = { bytes: Number.POSITIVE_INFINITY, later: 0 };
    await runPod(context, minio, deployment, blob, dir, never);
  }
  const { bucket, bytesSent, kills, pods } = deployment;
  context.diagnostic(`${bucket}: ${(bytesSent / SIZE).toFixed(2)} times the size with ${kills} kills`);
  const object = (await minio.objects(bucket)).get(blob.key);
  assert.equal(object?.size, SIZE);
  const env = { ...minio.env(bucket), MODEL_CACHE_DIR: dir };
  assert.equal((await modelCache(['status', '--check'], { env })).code, 0);
  assert.equal((await modelCache(['verify', '--remote'], { env })).code, 0);
  assert.ok(bytesSent <= SIZE + kills * LOST_BY_A_KILL + pods * TALK, `${bytesSent} bytes, ${kills} kills`);
  // A pod that was killed between the completion and the clean-up leaves uploads behind, but nothing in them.
  const left = await openUploads(minio, bucket, blob.key);
  assert.deepEqual(
    left.filter(({ parts }) => parts.length > 0),
    [],
  );
}

async function hasManifest(minio: Minio, bucket: string): Promise<boolean> {
  return [...(await minio.objects(bucket)).keys()].some((key) => key.includes('/manifests/'));
}

async function newDeployment(minio: Minio): Promise<Deployment> {
  return { bucket: await minio.createBucket(), bytesSent: 0, kills: 0, pods: 0 };
}
