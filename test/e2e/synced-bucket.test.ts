import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Upload } from '@aws-sdk/lib-storage';
import { sha256 } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { modelCache, scratchDir } from '../support/program.ts';
import { loadOffline } from '../support/python.ts';
import { contentsOf, makeRepo, put } from '../support/tree.ts';

const COMMIT = 'c1'.repeat(20);
const WEIGHTS = randomBytes(6 * 1024 * 1024);
const REPO = 'hub/models--org--model';
const FILES = {
  'sub/model.bin': { content: WEIGHTS },
  'config.json': { content: Buffer.from('{}'), lfs: false },
};

describe('a bucket without manifests, filled by a tool that follows links', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test('is restored into one copy of each blob, with links, and the real library loads it', async (context) => {
    const { dir, env } = await synced(context, minio);
    const restored = await modelCache(['init', '--strict'], { env });
    assert.equal(restored.code, 0, restored.stderr);
    assertLinked(dir);
    const [loaded] = await loadOffline('hub-2', ['org/model:sub/model.bin'], {
      HF_HOME: dir,
      HF_HUB_CACHE: join(dir, 'hub'),
    });
    assert.equal(loaded?.sha256, sha256(WEIGHTS));
  });

  test('also where the ETags of a blob and its copy differ: then the content decides', async (context) => {
    const { dir, env, bucket } = await synced(context, minio);
    const upload = new Upload({
      client: minio.client(),
      params: { Bucket: bucket, Key: `models/${REPO}/snapshots/${COMMIT}/sub/model.bin`, Body: WEIGHTS },
      partSize: 5 * 1024 * 1024,
    });
    await upload.done();
    const restored = await modelCache(['init', '--strict'], { env });
    assert.equal(restored.code, 0, restored.stderr);
    assertLinked(dir);
  });

  test('files that nothing can vouch for are left out, unless they are accepted', async (context) => {
    const { dir, env, bucket } = await synced(context, minio);
    await minio.write(bucket, 'models/torch/hub/checkpoints/encodec.th', 'weights');
    await minio.write(bucket, `models/${REPO}/snapshots/${COMMIT}/stray.txt`, 'nobody knows');
    const careful = await modelCache(['init'], { env });
    assert.equal(careful.code, 0);
    assert.deepEqual(
      readdirSync(dir).filter((name) => name !== '.model-cache'),
      ['hub'],
    );
    const plan = await modelCache(['init', '--dry-run'], { env });
    assert.match(plan.stdout, /unverified .*torch\/hub\/checkpoints\/encodec\.th/);
    assert.match(plan.stdout, /unverified .*stray\.txt/);
    const strict = await modelCache(['init', '--strict', '--', 'echo', 'served'], { env });
    assert.equal(strict.code, 125);
    assert.match(strict.stderr, /WARN: 2 files left out: no checksum vouches for them \(--accept-unverified/);
    assert.equal((await modelCache(['init', '--accept-unverified'], { env })).code, 0);
    assert.equal(readFileSync(join(dir, 'torch/hub/checkpoints/encodec.th'), 'utf8'), 'weights');
  });

  test('a token, code and a .env in it are not planted', async (context) => {
    const { dir, env, bucket } = await synced(context, minio);
    for (const key of [
      'token',
      '.env',
      'modules/x.py',
      `${REPO}/.env`,
      `${REPO}/snapshots/${COMMIT}/.env`,
      'torch/hub/checkpoints/.env',
      'xet/log',
      `hub/.locks/x.lock`,
    ]) {
      await minio.write(bucket, `models/${key}`, 'planted');
    }
    assert.equal((await modelCache(['init', '--accept-unverified'], { env })).code, 0);
    const planted = Object.keys(contentsOf(dir, (path) => path.startsWith('.model-cache'))).filter((path) =>
      /token|\.env|modules|xet|locks/.test(path),
    );
    assert.deepEqual(planted, []);
  });

  test('a corrupt object in it is not published', async (context) => {
    const { dir, env, bucket } = await synced(context, minio);
    await minio.write(bucket, `models/${REPO}/blobs/${sha256(WEIGHTS)}`, randomBytes(WEIGHTS.length));
    await minio.remove(bucket, `models/${REPO}/snapshots/${COMMIT}/sub/model.bin`);
    const result = await modelCache(['init', '--', 'echo', 'served'], { env });
    assert.equal(result.stdout, 'served\n');
    assert.match(result.stderr, /is not what its name or manifest says/);
    assert.deepEqual(
      readdirSync(join(dir, REPO, 'blobs')).filter((name) => name.length === 64),
      [],
    );
  });

  test('the first upload to it sends nothing but a manifest, and from then on that counts', async (context) => {
    const { dir, env, bucket } = await synced(context, minio);
    assert.equal((await modelCache(['init'], { env })).code, 0);
    const before = await minio.objects(bucket);
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    const added = [...(await minio.objects(bucket)).keys()].filter((key) => !before.has(key));
    assert.equal(added.length, 2, added.join('\n'));
    assert.ok(added.every((key) => /format\.json$|manifests\//.test(key)));
    rmSync(dir, { recursive: true });
    assert.equal((await modelCache(['init', '--strict'], { env })).code, 0);
    assertLinked(dir);
  });
});

/** A cache whose every path, links followed, is an object; the cache itself is gone. */
async function synced(
  context: Parameters<typeof scratchDir>[0],
  minio: Minio,
): Promise<{ dir: string; bucket: string; env: Record<string, string> }> {
  const dir = join(await scratchDir(context), 'models');
  const bucket = await minio.createBucket();
  makeRepo(join(dir, 'hub'), 'org/model', COMMIT, FILES);
  put(join(dir, 'hub/CACHEDIR.TAG'), 'Signature');
  for (const path of Object.keys(contentsOf(dir)))
    await minio.write(bucket, `models/${path}`, readFileSync(join(dir, path)));
  rmSync(dir, { recursive: true });
  return { dir, bucket, env: { ...minio.env(bucket), MODEL_CACHE_DIR: dir } };
}

function assertLinked(dir: string): void {
  const snapshot = join(dir, REPO, 'snapshots', COMMIT);
  const link = join(snapshot, 'sub/model.bin');
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.ok(readFileSync(link).equals(WEIGHTS));
  assert.equal(statSync(link).ino, statSync(join(dir, REPO, 'blobs', sha256(WEIGHTS))).ino);
  assert.ok(lstatSync(join(snapshot, 'config.json')).isSymbolicLink());
  assert.equal(readFileSync(join(dir, REPO, 'refs/main'), 'utf8'), COMMIT);
}
