import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sha256, startHub, type Hub } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { modelCache, scratchDir } from '../support/program.ts';
import { download, HUB_LIBRARIES, loadOffline, type HubLibrary } from '../support/python.ts';
import { toSharedStore } from '../support/shared-store.ts';
import { contentsOf, put } from '../support/tree.ts';

const F5 = 'SWivid/F5-TTS';
const VOCOS = 'charactr/vocos-mel-24khz';
const F5_COMMIT = '84e5a410d9cead4de2f847e7c9369a6440bdfaca';
const VOCOS_COMMIT = '0feb3fdd929bcd6649e0e7c5a688cf7dd012ef21';
const MODEL = randomBytes(20 * 1024 * 1024 + 3);
const FILES = [
  `${F5}:F5TTS_v1_Base/model_1250000.safetensors`,
  `${VOCOS}:config.yaml`,
  `${VOCOS}:pytorch_model.bin`,
  `${VOCOS}:empty.txt`,
  `${VOCOS}:tagged.txt@v1`,
];
/** cached_path cannot ask for a ref with slashes, so this one is downloaded and compared, not loaded. */
const NESTED_REF = `${VOCOS}:nested.txt@refs/pr/1`;

describe('a cache made by the real huggingface_hub goes through MinIO and comes back', () => {
  let minio: Minio;
  let hub: Hub;
  before(async () => {
    [minio, hub] = await Promise.all([startMinio(), startHub()]);
    hub.addCommit(F5, F5_COMMIT, {
      'F5TTS_v1_Base/model_1250000.safetensors': { content: MODEL, lfs: true },
    });
    hub.addCommit(
      VOCOS,
      'e1'.repeat(20),
      { 'nested.txt': { content: Buffer.from('nested') } },
      { ref: 'refs/pr/1' },
    );
    hub.addCommit(
      VOCOS,
      'e2'.repeat(20),
      { 'tagged.txt': { content: Buffer.from('tagged') } },
      { ref: 'v1' },
    );
    hub.addCommit(VOCOS, VOCOS_COMMIT, {
      'config.yaml': { content: Buffer.from('sample_rate: 24000\n') },
      'pytorch_model.bin': { content: randomBytes(300_000), lfs: true },
      'empty.txt': { content: Buffer.alloc(0) },
    });
  });
  after(() => Promise.all([minio.stop(), hub.stop()]));

  for (const library of HUB_LIBRARIES) {
    test(`${library}: every blob, link and ref is equal, and the library loads it offline`, async (context) => {
      const { dir, env, bucket } = await deployed(context, minio, hub, library);
      const before = mirrored(dir);
      await uploadAndWipe(dir, env);
      await assertStoredOnce(minio, bucket);
      const restored = await modelCache(['init'], { env });
      assert.equal(restored.code, 0, restored.stderr);
      assert.deepEqual(mirrored(dir), before);
      await assertLoadsOffline(library, dir);
    });

    test(`${library}: regular files in snapshots/ (no symlinks allowed) come back as they were`, async (context) => {
      const { dir, env } = await deployed(context, minio, hub, library, { HF_HUB_DISABLE_SYMLINKS: '1' });
      const before = mirrored(dir);
      await uploadAndWipe(dir, env);
      const restored = await modelCache(['init'], { env });
      assert.equal(restored.code, 0, restored.stderr);
      assert.deepEqual(mirrored(dir), before);
      await assertLoadsOffline(library, dir);
    });
  }

  test('the shared blob store of huggingface_hub >= 1.32: its links come back as plain blobs', async (context) => {
    const { dir, env, bucket } = await deployed(context, minio, hub, 'hub-2');
    const plain = mirrored(dir);
    const stored = await toSharedStore(join(dir, 'hub'), 'models--SWivid--F5-TTS');
    assert.equal(stored.size, 1);
    const blob = join(dir, 'hub/models--SWivid--F5-TTS/blobs', sha256(MODEL));
    assert.ok(lstatSync(blob).isSymbolicLink());
    await uploadAndWipe(dir, env);
    await assertStoredOnce(minio, bucket);
    assert.equal((await modelCache(['init'], { env })).code, 0);
    assert.ok(lstatSync(blob).isFile());
    assert.deepEqual(mirrored(dir), plain);
    for (const library of HUB_LIBRARIES) await assertLoadsOffline(library, dir);
  });

  test('a restore over a shared-store link replaces the link, and leaves the store alone', async (context) => {
    const { dir, env } = await deployed(context, minio, hub, 'hub-2');
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    const stored = await toSharedStore(join(dir, 'hub'), 'models--SWivid--F5-TTS');
    const [inStore = ''] = [...stored.values()];
    const bytesInStore = readFileSync(inStore);
    rmSync(inStore);
    assert.equal((await modelCache(['init'], { env })).code, 0);
    const blob = join(dir, 'hub/models--SWivid--F5-TTS/blobs', sha256(MODEL));
    assert.ok(lstatSync(blob).isFile());
    assert.ok(readFileSync(blob).equals(bytesInStore));
  });

  test('a token and a stray .env stay home, and are not planted by a bucket that holds them', async (context) => {
    const { dir, env, bucket } = await deployed(context, minio, hub, 'hub-2');
    for (const path of [
      'token',
      'stored_tokens',
      '.env',
      'hub/.env',
      'hub/models--SWivid--F5-TTS/.env',
      'torch/hub/checkpoints/.env',
      'modules/x.py',
    ]) {
      put(join(dir, path), 'hf_SECRET');
    }
    put(join(dir, 'torch/hub/checkpoints/encodec.th'), 'weights');
    await uploadAndWipe(dir, env);
    for (const key of (await minio.objects(bucket)).keys()) {
      assert.doesNotMatch(
        (await minio.read(bucket, key)).subarray(0, 65_536).toString('latin1'),
        /hf_SECRET/,
        key,
      );
    }
    for (const key of [
      'token',
      '.env',
      'hub/token',
      'modules/x.py',
      'hub/models--SWivid--F5-TTS/.env',
      'torch/hub/checkpoints/.env',
    ]) {
      await minio.write(bucket, `models/${key}`, 'planted');
    }
    assert.equal((await modelCache(['init'], { env })).code, 0);
    const paths = Object.keys(contentsOf(dir, (path) => path.startsWith('.model-cache')));
    assert.deepEqual(
      paths.filter((path) => /token|\.env|modules/.test(path)),
      [],
    );
    assert.ok(paths.includes('torch/hub/checkpoints/encodec.th'));
  });

  test('transformers 4 keeps repos directly below the dir: they go to the same place in the bucket', async (context) => {
    const { dir, env, bucket } = await deployed(context, minio, hub, 'hub-0.36', {}, '');
    assert.ok(readdirSync(dir).includes('models--SWivid--F5-TTS'));
    await uploadAndWipe(dir, env);
    assert.ok((await minio.objects(bucket)).has(`models/hub/models--SWivid--F5-TTS/blobs/${sha256(MODEL)}`));
    assert.equal((await modelCache(['init'], { env })).code, 0);
    await assertLoadsOffline('hub-2', dir);
  });

  test('a repo that lies directly below the dir stays there, and is linked where the variables look', async (context) => {
    const { dir, env } = await deployed(context, minio, hub, 'hub-0.36', {}, '');
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    const restored = await modelCache(['init'], { env });
    assert.match(restored.stderr, /nothing to fetch/);
    assert.ok(lstatSync(join(dir, 'hub/models--SWivid--F5-TTS')).isSymbolicLink());
    await assertLoadsOffline('hub-1', dir);
  });
});

async function deployed(
  context: Parameters<typeof scratchDir>[0],
  minio: Minio,
  hub: Hub,
  library: HubLibrary,
  extra: Record<string, string> = {},
  below = 'hub',
): Promise<{ readonly dir: string; readonly bucket: string; readonly env: Record<string, string> }> {
  const dir = join(await scratchDir(context), 'models');
  const bucket = await minio.createBucket();
  await download(library, [...FILES, NESTED_REF], {
    HF_ENDPOINT: hub.endpoint,
    HF_HOME: dir,
    HF_HUB_CACHE: join(dir, below),
    ...extra,
  });
  return { dir, bucket, env: { ...minio.env(bucket), MODEL_CACHE_DIR: dir } };
}

async function uploadAndWipe(dir: string, env: Record<string, string>): Promise<void> {
  const uploaded = await modelCache(['upload'], { env });
  assert.equal(uploaded.code, 0, uploaded.stderr);
  rmSync(dir, { recursive: true });
}

async function assertStoredOnce(minio: Minio, bucket: string): Promise<void> {
  const objects = await minio.objects(bucket);
  const sizes = [...objects.values()].filter(({ size }) => size === MODEL.length);
  assert.equal(sizes.length, 1, 'the model is in the bucket once');
  assert.ok(objects.has(`models/hub/models--SWivid--F5-TTS/blobs/${sha256(MODEL)}`));
}

async function assertLoadsOffline(library: HubLibrary, dir: string): Promise<void> {
  const loaded = await loadOffline(library, FILES, { HF_HOME: dir, HF_HUB_CACHE: join(dir, 'hub') });
  assert.equal(loaded.length, FILES.length);
  assert.equal(loaded.find(({ path }) => path.endsWith('.safetensors'))?.sha256, sha256(MODEL));
}

/** What is mirrored of a cache: all but locks, markers and this program's own folder. */
function mirrored(dir: string): Record<string, string> {
  return contentsOf(dir, (path) =>
    /(^|\/)(\.locks|\.no_exist|trees|CACHEDIR\.TAG|\.model-cache|xet)(\/|$)|^\.(check|agent)/.test(path),
  );
}
