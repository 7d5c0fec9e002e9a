import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { startPod } from '../support/pod.ts';
import { modelCache, scratchDir } from '../support/program.ts';
import { makeRepo } from '../support/tree.ts';

const COMMIT = 'c1'.repeat(20);
const SHOW = ['sh', '-c', 'env | grep -E "SECRET|ACCESS_KEY|TOKEN" | sort'];

describe('--drop-credentials', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test("the store's keys are used, and the server gets none of them", async (context) => {
    const { env, dir } = await filledBucket(context, minio);
    const args = ['init', '--strict', '--write-back', 'off', '--drop-credentials', '--', ...SHOW];
    const result = await modelCache(args, { env: { ...env, MODEL_CACHE_DIR: `${dir}-2`, HF_TOKEN: 'hf_x' } });
    assert.equal(result.stdout, 'HF_TOKEN=hf_x\n', result.stderr);
    assert.match(result.stderr, /model sync completed/);
  });

  test("the server's own AWS keys stay when the store has others", async (context) => {
    const { env, dir } = await filledBucket(context, minio);
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...rest } = env;
    const own = {
      ...rest,
      MODEL_CACHE_DIR: `${dir}-2`,
      MODEL_CACHE_ACCESS_KEY_ID: AWS_ACCESS_KEY_ID ?? '',
      MODEL_CACHE_SECRET_ACCESS_KEY: AWS_SECRET_ACCESS_KEY ?? '',
      AWS_ACCESS_KEY_ID: 'of-the-server',
      MODEL_CACHE_DROP_CREDENTIALS: 'true',
    };
    const result = await modelCache(['init', '--strict', '--write-back', 'off', '--', ...SHOW], { env: own });
    assert.equal(result.stdout, 'AWS_ACCESS_KEY_ID=of-the-server\n', result.stderr);
  });

  test('without it the server inherits what there is', async (context) => {
    const { env } = await filledBucket(context, minio);
    const result = await modelCache(['init', '--write-back', 'off', '--', ...SHOW], { env });
    assert.match(result.stdout, /^AWS_ACCESS_KEY_ID=test.*\nAWS_SECRET_ACCESS_KEY=.+\n$/);
  });

  for (const mode of ['auto', 'wait'] as const) {
    test(`--write-back ${mode} still has the keys: what is new comes into the bucket`, async (context) => {
      const { env, dir, bucket } = await filledBucket(context, minio);
      const server = ['sh', '-c', `echo "keys: $AWS_SECRET_ACCESS_KEY."; exec sleep 600`];
      const options = ['--drop-credentials', '--write-back', mode];
      const pod = await startPod(context, { env, options, server });
      await pod.until(/^keys: \.$/);
      makeRepo(join(dir, 'hub'), 'org/new', COMMIT, { 'x.bin': { content: randomBytes(1000) } });
      await pod.until(/Models uploaded to S3/);
      await eventually('a manifest of it', async () =>
        [...(await minio.objects(bucket)).keys()].some((key) =>
          key.includes('manifests/hub%2Fmodels--org--new/'),
        ),
      );
      await pod.stop();
    });
  }
});

async function filledBucket(
  context: TestContext,
  minio: Minio,
): Promise<{ env: Record<string, string>; dir: string; bucket: string }> {
  const bucket = await minio.createBucket();
  const dir = join(await scratchDir(context), 'models');
  const env = { ...minio.env(bucket), MODEL_CACHE_DIR: dir };
  makeRepo(join(dir, 'hub'), 'org/model', COMMIT, { 'w.bin': { content: randomBytes(1000) } });
  assert.equal((await modelCache(['upload'], { env })).code, 0);
  return { env, dir, bucket };
}
