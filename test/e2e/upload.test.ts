import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadBlake3 } from '../../src/blake3.ts';
import { eventually } from '../support/eventually.ts';
import { sha256, startHub } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { openUploads } from '../support/open-uploads.ts';
import { finished, modelCache, scratchDir, startModelCache } from '../support/program.ts';
import { runPython } from '../support/python.ts';
import { startRecorder } from '../support/recorder.ts';
import { makeRepo, put } from '../support/tree.ts';

const COMMIT = 'c1'.repeat(20);
const README_COMMIT = 'c2'.repeat(20);
const REPO = 'hub/models--org--model';

for (const [abandonAfter, stays] of [
  ['24h', []],
  ['30d', ['29 days']],
  ['0', ['29 days', '31 days']],
] as const) {
  test(`--abandon-after ${abandonAfter}: of what nobody has added to for so long, ${stays.join(' and ') || 'nothing'} stays`, async (context) => {
    const scratch = await scratchDir(context);
    const [dir, bucket] = [join(scratch, 'dir'), join(scratch, 'bucket')];
    makeRepo(join(dir, 'hub'), 'org/model', COMMIT, { 'README.md': { content: Buffer.from('new') } });
    for (const days of [29, 31]) {
      const path = join(bucket, '.model-cache/tmp', `${days} days`);
      put(path, 'half');
      const then = Date.now() / 1000 - days * 24 * 3600;
      utimesSync(path, then, then);
    }
    const args = ['upload', '--store', `file://${bucket}`, '--dir', dir, '--abandon-after', abandonAfter];
    const result = await modelCache(args, { env: {} });
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(readdirSync(join(bucket, '.model-cache/tmp')).toSorted(), stays);
  });
}

describe('upload', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test('a second run makes one listing and sends nothing', async (context) => {
    const { env } = await prepared(context, minio);
    const recorder = await startRecorder(minio.endpoint);
    const through = { ...env, AWS_ENDPOINT_URL: recorder.endpoint };
    assert.equal((await modelCache(['upload'], { env: through })).code, 0);
    recorder.requests.length = 0;
    const second = await modelCache(['upload', '--json'], { env: through });
    await recorder.stop();
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stderr, /Nothing to upload: s3:.* holds all of/);
    const listings = recorder.requests.filter((request) => request.includes('list-type=2'));
    assert.equal(listings.length, 1, recorder.requests.join('\n'));
    assert.deepEqual(
      recorder.requests.filter((request) => !request.startsWith('GET ')),
      [],
    );
    const report = JSON.parse(second.stdout) as { upload: { status: string; sent: { files: number } } };
    assert.equal(report.upload.status, 'nothing-to-do');
    assert.equal(report.upload.sent.files, 0);
  });

  test('the manifest is written last, after everything that it names', async (context) => {
    const { env } = await prepared(context, minio);
    const recorder = await startRecorder(minio.endpoint);
    await modelCache(['upload'], { env: { ...env, AWS_ENDPOINT_URL: recorder.endpoint } });
    await recorder.stop();
    const puts = recorder.requests.filter((request) => request.startsWith('PUT '));
    assert.match(puts[0] ?? '', /format\.json/);
    assert.match(puts.at(-1) ?? '', /manifests\/hub%252Fmodels--org--model\/[0-9a-f]{64}\.json/);
  });

  test('a large file is named with the BLAKE3 digests of its parts, where there is such a thing', async (context) => {
    const blake3 = loadBlake3();
    if (blake3 === undefined) return context.skip('no build of it here');
    const { dir, env, bucket } = await prepared(context, minio);
    const content = randomBytes(20 * 1024 * 1024);
    makeRepo(join(dir, 'hub'), 'org/large', COMMIT, { 'model.bin': { content } });
    const upload = await modelCache(['upload'], { env });
    assert.equal(upload.code, 0, upload.stderr);
    const keys = [...(await minio.objects(bucket)).keys()];
    const key = keys.find((name) => name.includes('/manifests/hub%2Fmodels--org--large/')) ?? '';
    const { files } = JSON.parse(String(await minio.read(bucket, key))) as {
      files: readonly { path: string; parts?: unknown }[];
    };
    const size = 8 * 1024 * 1024;
    const digests = [0, 1, 2].map((place) => {
      const part = blake3();
      part.update(content.subarray(place * size, (place + 1) * size));
      return part.digest('hex');
    });
    const large = files.find(({ path }) => path === `blobs/${sha256(content)}`);
    assert.deepEqual(large?.parts, { algorithm: 'blake3', size, digests });
    assert.ok(files.filter(({ path }) => path !== large.path).every(({ parts }) => parts === undefined));
    const again = await modelCache(['upload'], { env });
    assert.match(again.stderr, /Nothing to upload/);
  });

  test('many small files are seen in the bucket by a listing', async (context) => {
    const { dir, env } = await prepared(context, minio);
    const files = Array.from({ length: 40 }, (_, index) => [
      `file-${index}`,
      { content: Buffer.from(`content ${index}`) },
    ]);
    makeRepo(join(dir, 'hub'), 'org/many', COMMIT, Object.fromEntries(files));
    const recorder = await startRecorder(minio.endpoint);
    const upload = await modelCache(['upload'], { env: { ...env, AWS_ENDPOINT_URL: recorder.endpoint } });
    await recorder.stop();
    assert.equal(upload.code, 0, upload.stderr);
    const asked = recorder.requests.filter((request) => request.startsWith('HEAD '));
    assert.ok(asked.length < 10, recorder.requests.join('\n'));
    const status = await modelCache(['status', '--check'], { env });
    assert.equal(status.code, 0, status.stdout);
  });

  test('--dry-run says what it would send, and sends nothing', async (context) => {
    const { env, bucket } = await prepared(context, minio);
    const result = await modelCache(['upload', '--dry-run'], { env });
    assert.equal(result.code, 0);
    assert.match(result.stdout, /missing\s+300 kB\s+hub\/models--org--model\/blobs\//);
    assert.equal((await minio.objects(bucket)).size, 0);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} in the middle of a large blob leaves its parts, and a later run sends the rest`, async (context) => {
      const { dir, env, bucket } = await prepared(context, minio);
      const large = randomBytes(160 * 1024 * 1024);
      makeRepo(join(dir, 'hub'), 'org/large', COMMIT, { 'model.bin': { content: large } });
      const key = `models/hub/models--org--large/blobs/${sha256(large)}`;
      const child = startModelCache(['upload', '--bwlimit', '40'], { env });
      await eventually('a part in the bucket', async () => {
        const [upload] = await openUploads(minio, bucket, key);
        return upload !== undefined && upload.parts.length > 0;
      });
      child.kill(signal);
      const result = await finished(child);
      assert.equal(result.code, signal === 'SIGTERM' ? 143 : 130, result.stderr);
      assert.match(result.stderr, /stopped by SIG\w+; what is in the bucket of it stays/);
      const [parked] = await openUploads(minio, bucket, key);
      assert.ok(parked !== undefined && parked.parts.length > 0, result.stderr);
      const later = await modelCache(['upload', '--json'], { env });
      assert.equal(later.code, 0, later.stderr);
      const { upload } = JSON.parse(later.stdout) as { upload: { bytesSent: number } };
      const kept = parked.parts.length * 8 * 1024 * 1024;
      assert.ok(
        upload.bytesSent <= large.length + 300_100 - kept,
        `${upload.bytesSent} bytes were sent again`,
      );
      assert.deepEqual(await openUploads(minio, bucket, key), []);
      assert.ok((await minio.read(bucket, key)).equals(large));
    });
  }

  test('beside a live download by the real library: what is finished goes up, and a restore of it is whole', async (context) => {
    const { dir, env } = await prepared(context, minio);
    const hub = await startHub();
    const weights = randomBytes(8 * 1024 * 1024);
    hub.addCommit('org/slow', COMMIT, {
      'config.yaml': { content: Buffer.from('a: 1\n') },
      'model.bin': { content: weights, lfs: true },
    });
    hub.throttle(4 * 1024 * 1024);
    const hubEnv = { HF_ENDPOINT: hub.endpoint, HF_HOME: dir, HF_HUB_CACHE: join(dir, 'hub') };
    const downloading = runPython('hub-2', 'download.py', ['org/slow:config.yaml', 'org/slow:model.bin'], {
      env: hubEnv,
    });
    await sleep(1000);
    const during = await modelCache(['upload'], { env });
    assert.equal(during.code, 0, during.stderr);
    assert.equal((await downloading).code, 0);
    await hub.stop();
    const other = { ...env, MODEL_CACHE_DIR: join(await scratchDir(context), 'models') };
    assert.equal((await modelCache(['init', '--strict'], { env: other })).code, 0);
    assert.equal((await modelCache(['verify'], { env: other })).code, 0);
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    assert.equal((await modelCache(['init', '--strict'], { env: other })).code, 0);
    const restored = join(other.MODEL_CACHE_DIR, 'hub/models--org--slow/snapshots', COMMIT, 'model.bin');
    assert.ok(readFileSync(restored).equals(weights));
  });

  test('a README edit on the Hub and a kill: the ref keeps the commit that has the weights', async (context) => {
    const { dir, env } = await prepared(context, minio);
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    // The server asked the Hub, which has moved on, and was killed before it linked the weights again.
    makeRepo(join(dir, 'hub'), 'org/model', README_COMMIT, {
      'README.md': { content: Buffer.from('new'), lfs: false },
    });
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    rmSync(dir, { recursive: true });
    assert.equal((await modelCache(['init'], { env })).code, 0);
    assert.equal(readFileSync(join(dir, REPO, 'refs/main'), 'utf8'), COMMIT);
    assert.equal(readFileSync(join(dir, REPO, 'snapshots', COMMIT, 'model.bin')).length, 300_000);
    assert.equal(readFileSync(join(dir, REPO, 'snapshots', README_COMMIT, 'README.md'), 'utf8'), 'new');
  });

  test("a pod that has not moved a ref does not move the bucket's ref back", async (context) => {
    const { dir, env } = await prepared(context, minio);
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    const stale = { ...env, MODEL_CACHE_DIR: join(await scratchDir(context), 'models') };
    assert.equal((await modelCache(['init'], { env: stale })).code, 0);
    const newWeights = randomBytes(1000);
    makeRepo(join(dir, 'hub'), 'org/model', README_COMMIT, {
      'model.bin': { content: newWeights },
      'config.json': { content: Buffer.from('{}'), lfs: false },
    });
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    put(join(stale.MODEL_CACHE_DIR, 'torch/hub/checkpoints/new.th'), 'something to upload');
    assert.equal((await modelCache(['upload'], { env: stale })).code, 0);
    rmSync(dir, { recursive: true });
    const last = await modelCache(['init'], { env });
    assert.equal(readFileSync(join(dir, REPO, 'refs/main'), 'utf8'), README_COMMIT, last.stderr);
    assert.ok(readFileSync(join(dir, REPO, 'snapshots', README_COMMIT, 'model.bin')).equals(newWeights));
  });

  test('two uploads at once leave two true manifests, which the next upload merges', async (context) => {
    const { dir, env, bucket } = await prepared(context, minio);
    const otherDir = join(await scratchDir(context), 'models');
    makeRepo(
      join(otherDir, 'hub'),
      'org/model',
      README_COMMIT,
      { 'other.bin': { content: randomBytes(1000) } },
      'dev',
    );
    const results = await Promise.all([
      modelCache(['upload'], { env }),
      modelCache(['upload'], { env: { ...env, MODEL_CACHE_DIR: otherDir } }),
    ]);
    assert.deepEqual(
      results.map(({ code }) => code),
      [0, 0],
    );
    rmSync(dir, { recursive: true });
    assert.equal((await modelCache(['init', '--strict'], { env })).code, 0);
    assert.equal(readFileSync(join(dir, REPO, 'refs/dev'), 'utf8'), README_COMMIT);
    assert.equal(readFileSync(join(dir, REPO, 'refs/main'), 'utf8'), COMMIT);
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    const status = await modelCache(['status', '--check'], { env });
    assert.equal(status.code, 0, status.stdout);
    assert.ok((await minio.objects(bucket)).size > 0);
  });

  test('above a store it sends nothing, and names the store', async (context) => {
    const { env, bucket } = await prepared(context, minio);
    assert.equal((await modelCache(['upload'], { env })).code, 0);
    const before = await minio.objects(bucket);
    const above = await modelCache(['upload'], { env: { ...env, MODEL_CACHE_STORE: `s3://${bucket}` } });
    assert.equal(above.code, 1);
    assert.match(above.stderr, new RegExp(`no store itself, .* use --store s3://${bucket}/models`));
    const pod = await modelCache(['init', '--', 'true'], {
      env: { ...env, MODEL_CACHE_STORE: `s3://${bucket}`, MODEL_CACHE_WRITE_BACK: 'auto' },
    });
    assert.equal(pod.code, 0);
    assert.match(pod.stderr, new RegExp(`WARN: .* use --store s3://${bucket}/models`));
    assert.deepEqual([...(await minio.objects(bucket)).keys()], [...before.keys()]);
  });

  test('without a cache or a store it says so, and what to do', async (context) => {
    const scratch = await scratchDir(context);
    const noDir = await modelCache(['upload'], {
      env: { ...minio.env('any'), MODEL_CACHE_DIR: join(scratch, 'none') },
    });
    assert.equal(noDir.code, 1);
    assert.match(
      noDir.stderr,
      /there is no cache to upload: this user sees no folder at .*; name it with --dir/,
    );
    const home = join(scratch, 'home');
    makeRepo(join(home, '.cache/huggingface/hub'), 'org/elsewhere', COMMIT, {
      'model.bin': { content: randomBytes(1000) },
    });
    const empty = join(scratch, 'empty');
    mkdirSync(empty);
    const env = { ...minio.env(await minio.createBucket()), MODEL_CACHE_DIR: empty, HOME: home };
    for (const options of [[], ['--dry-run']]) {
      const noModel = await modelCache(['upload', ...options], { env });
      assert.equal(noModel.code, 1);
      assert.match(
        noModel.stderr,
        /there is no model in .* to upload; there is another cache: --dir .*\/home\/\.cache\/huggingface\n/,
      );
    }
    const noStore = await modelCache(['upload'], { env: { MODEL_CACHE_DIR: scratch } });
    assert.equal(noStore.code, 1);
    assert.match(noStore.stderr, /no store is configured; set MODEL_CACHE_STORE/);
  });
});

async function prepared(
  context: Parameters<typeof scratchDir>[0],
  minio: Minio,
): Promise<{ dir: string; bucket: string; env: Record<string, string> & { MODEL_CACHE_DIR: string } }> {
  const dir = join(await scratchDir(context), 'models');
  const bucket = await minio.createBucket();
  makeRepo(join(dir, 'hub'), 'org/model', COMMIT, {
    'model.bin': { content: randomBytes(300_000) },
    'config.json': { content: Buffer.from('{}'), lfs: false },
  });
  return { dir, bucket, env: { ...minio.env(bucket), MODEL_CACHE_DIR: dir } };
}
