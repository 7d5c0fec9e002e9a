import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sha256 } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { linesAt, modelCache, scratchDir } from '../support/program.ts';
import { startRecorder } from '../support/recorder.ts';
import { makeRepo } from '../support/tree.ts';

const COMMIT = 'c1'.repeat(20);
/** One that is sent in one go, and one that is sent in parts. */
const SIZES = [300_000, 20 * 1024 * 1024];

describe('an object that is not what its name says', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  for (const size of SIZES) {
    test(`of ${size} bytes: the start that reads it wrong twice remembers it, and its upload replaces it`, async (context) => {
      const { env, weights, bucket, key } = await uploadedAndSpoilt(context, minio, size);
      // The next pod cannot restore it; its server downloads it.
      rmSync(env.MODEL_CACHE_DIR, { recursive: true });
      const start = await modelCache(['init', '--', 'true'], {
        env: { ...env, MODEL_CACHE_WRITE_BACK: 'off' },
      });
      assert.match(linesAt('WARN', start).join('\n'), new RegExp(`wanted [^,]*${sha256(weights)}, found `));
      makeModel(env.MODEL_CACHE_DIR, weights);
      const plan = await modelCache(['upload', '--dry-run'], { env });
      assert.match(plan.stdout, /^corrupt .*blobs/m);
      const upload = await modelCache(['upload'], { env });
      assert.equal(upload.code, 0, upload.stderr);
      assert.ok((await minio.read(bucket, key)).equals(weights));
      assert.equal((await modelCache(['verify', '--remote'], { env })).code, 0);
      assert.match((await modelCache(['upload'], { env })).stderr, /Nothing to upload/);
    });
  }

  test('a check of the bucket remembers it too', async (context) => {
    const { env, weights, bucket, key } = await uploadedAndSpoilt(context, minio, 300_000);
    const check = await modelCache(['verify', '--remote'], { env });
    assert.equal(check.code, 1);
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    assert.ok((await minio.read(bucket, key)).equals(weights));
  });

  test('a pod whose own blob is wrong replaces nothing', async (context) => {
    const { env, weights, bucket, key } = await uploadedAndSpoilt(context, minio, 300_000);
    assert.equal((await modelCache(['verify', '--remote'], { env })).code, 1);
    rmSync(env.MODEL_CACHE_DIR + '/hub', { recursive: true });
    const wrong = makeModel(env.MODEL_CACHE_DIR, weights, randomBytes(weights.length));
    const upload = await modelCache(['upload'], { env });
    assert.equal(upload.code, 1);
    assert.match(upload.stderr, /is not what its name says/);
    assert.ok(!(await minio.read(bucket, key)).equals(wrong));
  });

  test('one that somebody has replaced meanwhile is not sent again', async (context) => {
    const { env, weights, bucket, key } = await uploadedAndSpoilt(context, minio, 300_000);
    assert.equal((await modelCache(['verify', '--remote'], { env })).code, 1);
    await minio.write(bucket, key, weights);
    const recorder = await startRecorder(minio.endpoint);
    const upload = await modelCache(['upload'], { env: { ...env, AWS_ENDPOINT_URL: recorder.endpoint } });
    await recorder.stop();
    assert.equal(upload.code, 0, upload.stderr);
    assert.deepEqual(
      recorder.requests.filter((request) => request.startsWith('PUT ')),
      [],
    );
  });
});

async function uploadedAndSpoilt(
  context: Parameters<typeof scratchDir>[0],
  minio: Minio,
  size: number,
): Promise<{
  readonly env: Record<string, string> & { readonly MODEL_CACHE_DIR: string };
  readonly weights: Buffer;
  readonly bucket: string;
  readonly key: string;
}> {
  const bucket = await minio.createBucket();
  const env = { ...minio.env(bucket), MODEL_CACHE_DIR: join(await scratchDir(context), 'models') };
  const weights = randomBytes(size);
  makeModel(env.MODEL_CACHE_DIR, weights);
  assert.equal((await modelCache(['upload'], { env })).code, 0);
  const key = `models/hub/models--org--model/blobs/${sha256(weights)}`;
  await minio.write(bucket, key, randomBytes(size));
  return { env, weights, bucket, key };
}

/** `bytes` under the name that `weights` have. */
function makeModel(dir: string, weights: Buffer, bytes = weights): Buffer {
  const blobs = makeRepo(join(dir, 'hub'), 'org/model', COMMIT, { 'model.bin': { content: weights } });
  if (bytes !== weights) writeFileSync(blobs['model.bin'] ?? '', bytes);
  return bytes;
}
