import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { manifestKey } from '../../src/model/bucket.ts';
import { serializeManifest, type Manifest } from '../../src/model/manifest.ts';
import { answerError, forwardTo, withServer } from '../store/scripted-s3.ts';
import { sha256 } from '../support/hub.ts';
import {
  F5,
  fill,
  lockInto,
  NEW,
  OLD,
  SERVER,
  upload,
  VOCOS,
  WEIGHTS,
  weightsIn,
} from '../support/locked-cache.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { linesAt, modelCache, scratchDir, type Finished } from '../support/program.ts';

const EVIL = Buffer.from('evil');

describe('whoever holds the key of the bucket can withhold, and not plant', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test('a manifest that supersedes all others, and a tree more, are as if they were not there', async (context) => {
    const { env, bucket, lock, dir, manifests } = await lockedBucket(context, minio);
    const before = manifests.get(F5);
    assert.ok(before);
    const planted = { path: `blobs/${sha256(EVIL)}`, size: EVIL.length, sha256: sha256(EVIL) };
    const link = {
      path: `snapshots/${NEW}/F5TTS_v1_Base/model.safetensors`,
      target: `../../../${planted.path}`,
    };
    const common = { version: 1 as const, files: [planted], links: [link], generation: 1000 };
    const ref = [{ path: 'refs/main', content: NEW }];
    const later = { ...common, tree: F5, supersedes: [before.name], refs: ref, retired: [OLD] };
    await write(minio, bucket, later);
    await write(minio, bucket, {
      ...common,
      tree: 'hub/models--evil--x',
      supersedes: [],
      refs: ref,
      retired: [],
    });
    for (const tree of [F5, 'hub/models--evil--x'])
      await minio.write(bucket, `models/${tree}/${planted.path}`, EVIL);
    const result = await modelCache(['init', '--strict', '--locked', lock, ...SERVER], { env });
    assert.equal(result.stdout, 'served\n', result.stderr);
    assert.equal(readFileSync(join(dir, F5, 'refs/main'), 'utf8'), OLD);
    assert.ok(readFileSync(weightsIn(dir, OLD)).equals(WEIGHTS));
    assert.equal(existsSync(join(dir, 'hub/models--evil--x')), false);
    assert.equal(existsSync(join(dir, F5, planted.path)), false);
    const unlocked = join(await scratchDir(context), 'models');
    assert.equal((await modelCache(['init', '--dir', unlocked], { env })).code, 0);
    assert.ok(existsSync(join(unlocked, F5, planted.path)), 'what a start without the lock believes');
  });

  test('an altered manifest: its tree is not restored, one WARN says so, the others are; --strict is 125', async (context) => {
    const { env, bucket, lock, dir, manifests } = await lockedBucket(context, minio);
    const { name = '', manifest } = manifests.get(F5) ?? {};
    const altered = Buffer.from(JSON.stringify({ ...manifest, refs: [{ path: 'refs/main', content: NEW }] }));
    await minio.write(bucket, `models/${manifestKey(F5, name)}`, altered);
    const result = await modelCache(['init', '--locked', lock, ...SERVER], { env });
    assert.equal(result.stdout, 'served\n');
    assertWithheld(
      result,
      dir,
      /manifest [0-9a-f]{64} of hub\/models--SWivid--F5-TTS is not what its name says/,
    );
    const strict = await modelCache(['init', '--strict', '--locked', lock, ...SERVER], { env });
    assert.deepEqual([strict.code, strict.stdout], [125, '']);
  });

  test('a missing manifest withholds its tree, although the bucket has another of it', async (context) => {
    const { env, bucket, lock, dir, manifests } = await lockedBucket(context, minio);
    const { name = '', manifest } = manifests.get(F5) ?? {};
    assert.ok(manifest);
    await minio.remove(bucket, `models/${manifestKey(F5, name)}`);
    await write(minio, bucket, { ...manifest, generation: 2 });
    const result = await modelCache(['init', '--locked', lock, ...SERVER], { env });
    assert.equal(result.stdout, 'served\n');
    assertWithheld(
      result,
      dir,
      /has no object .*; put back into the bucket what was locked, or lock what is/,
    );
    const report = JSON.parse(readFileSync(join(dir, '.model-cache/report.json'), 'utf8')) as object;
    assert.equal((report as { code: string }).code, 'restore-incomplete');
  });

  test('a replaced blob is not published', async (context) => {
    const { env, bucket, lock, dir } = await lockedBucket(context, minio);
    await minio.write(bucket, `models/${F5}/blobs/${sha256(WEIGHTS)}`, randomBytes(WEIGHTS.length));
    const result = await modelCache(['init', '--locked', lock, ...SERVER], { env });
    assert.equal(result.stdout, 'served\n');
    assert.match(linesAt('WARN', result).join('\n'), /is not what its name or manifest says/);
    assert.equal(existsSync(weightsIn(dir, OLD)), false);
    assert.ok(existsSync(join(dir, VOCOS, 'refs/main')));
  });

  test('nothing is listed', async (context) => {
    const { env, lock, dir } = await lockedBucket(context, minio);
    await withServer(forwardTo(minio.endpoint), async ({ endpoint, seen }) => {
      const through = { ...env, AWS_ENDPOINT_URL: endpoint };
      const result = await modelCache(['init', '--strict', '--locked', lock, ...SERVER], { env: through });
      assert.equal(result.stdout, 'served\n', result.stderr);
      assert.ok(existsSync(weightsIn(dir, OLD)));
      assert.deepEqual(new Set(seen.map(({ method }) => method)), new Set(['GET']));
      for (const { url } of seen) assert.match(url, /^\/[^/]+\/models\/[^?]+(\?x-id=GetObject)?$/);
    });
  });

  test('403 for what is not there, as AWS answers a key that may not list: explained, and the rest is restored', async (context) => {
    const { env, lock, dir, manifests } = await lockedBucket(context, minio);
    const missing = [manifests.get(VOCOS)?.name ?? '', sha256(WEIGHTS)];
    const forward = forwardTo(minio.endpoint);
    await withServer(
      (request, response, count) =>
        missing.some((name) => request.url.includes(name))
          ? answerError(response, 403, 'AccessDenied')
          : forward(request, response, count),
      async ({ endpoint }) => {
        const through = { ...env, AWS_ENDPOINT_URL: endpoint };
        const result = await modelCache(['init', '--locked', lock, ...SERVER], { env: through });
        assert.equal(result.stdout, 'served\n');
        const said = linesAt('WARN', result);
        const explained =
          /it is not there, or this key may not read it.*s3:ListBucket gets this answer|put back/;
        assert.match(said.join('\n'), explained);
        assert.match(
          said.join('\n'),
          /vocos-mel-24khz: its locked manifest cannot be had: .*may not read it/,
        );
        assert.equal(existsSync(join(dir, VOCOS)), false);
        assert.ok(existsSync(join(dir, F5, 'snapshots', OLD, 'README.md')));
        assert.equal(existsSync(weightsIn(dir, OLD)), false);
      },
    );
  });
});

interface LockedBucket {
  readonly env: Record<string, string>;
  readonly bucket: string;
  readonly dir: string;
  /** The path of a lock of everything. */
  readonly lock: string;
  readonly manifests: ReadonlyMap<string, { readonly name: string; readonly manifest: Manifest }>;
}

async function lockedBucket(context: TestContext, minio: Minio): Promise<LockedBucket> {
  const scratch = await scratchDir(context);
  const bucket = await minio.createBucket();
  const dir = join(scratch, 'models');
  const env = { ...minio.env(bucket), MODEL_CACHE_DIR: dir };
  fill(join(scratch, 'source'));
  assert.equal((await upload(join(scratch, 'source'), env)).code, 0);
  const lock = join(scratch, 'models.lock');
  const text = await lockInto(lock, [], env);
  const named = [...text.matchAll(/^manifest (\S+) (\S+)$/gm)].map(async ([, name = '', tree = '']) => {
    const bytes = await minio.read(bucket, `models/${manifestKey(tree, name)}`);
    return [tree, { name, manifest: JSON.parse(bytes.toString()) as Manifest }] as const;
  });
  return { env, bucket, dir, lock, manifests: new Map(await Promise.all(named)) };
}

async function write(minio: Minio, bucket: string, manifest: Manifest): Promise<void> {
  const { name, bytes } = serializeManifest(manifest);
  await minio.write(bucket, `models/${manifestKey(manifest.tree, name)}`, bytes);
}

function assertWithheld(result: Finished, dir: string, says: RegExp): void {
  const warned = linesAt('WARN', result);
  assert.equal(warned.length, 1, result.stderr);
  assert.match(warned[0] ?? '', says);
  assert.equal(existsSync(join(dir, F5)), false);
  assert.ok(existsSync(join(dir, VOCOS, 'refs/main')));
  assert.match(result.stderr, /model sync incomplete, without 1 of what is locked - models cached in/);
}
