import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sha256 } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { finished, linesAt, modelCache, scratchDir, startModelCache } from '../support/program.ts';
import { contentsOf, makeRepo, put } from '../support/tree.ts';

const REPO = 'hub/models--org--model';
const COMMIT = 'c1'.repeat(20);
const WEIGHTS = randomBytes(300_000);
const CONFIG = Buffer.from('{"sample_rate": 24000}');
const WEIGHTS_KEY = `models/${REPO}/blobs/${sha256(WEIGHTS)}`;

describe('no wrong byte is published', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  const damages: readonly (readonly [string, Buffer, RegExp])[] = [
    [
      'an object of the same size with one wrong byte',
      flipped(WEIGHTS),
      /is not what its name or manifest says \(wanted sha256 [0-9a-f]{64}, found sha256 [0-9a-f]{64}\)/,
    ],
    [
      'a truncated object',
      WEIGHTS.subarray(0, 1000),
      /another size than its manifest says \(wanted 300000 bytes, found 1000 bytes\)/,
    ],
    ['an object that is longer', Buffer.concat([WEIGHTS, WEIGHTS]), /another size than its manifest says/],
    ['an object that is empty', Buffer.alloc(0), /ends before it should/],
  ];
  for (const [name, content, says] of damages) {
    test(`${name}: never under a final name, named in the log, and the other files are restored`, async (context) => {
      const { dir, env, bucket } = await uploaded(context, minio);
      rmSync(dir, { recursive: true });
      await minio.write(bucket, WEIGHTS_KEY, content);
      const result = await modelCache(['init', '--', 'echo', 'served'], { env });
      assert.equal(result.stdout, 'served\n');
      assert.match(linesAt('WARN', result).join('\n'), says);
      assert.match(result.stderr, new RegExp(sha256(WEIGHTS)));
      assert.equal(existsSync(join(dir, REPO, 'blobs', sha256(WEIGHTS))), false);
      assert.equal(existsSync(join(dir, REPO, 'snapshots', COMMIT, 'model.bin')), false);
      assert.equal(existsSync(join(dir, REPO, 'refs/main')), false, 'no ref to a commit that is not whole');
      assert.ok(readFileSync(join(dir, REPO, 'snapshots', COMMIT, 'config.json')).equals(CONFIG));
      assert.deepEqual(readdirSync(join(dir, '.model-cache/partial')), []);
      assert.match(
        result.stderr,
        /S3 model sync failed: 1 of 2 files could not be restored; the server will download/,
      );
    });
  }

  test('a missing object leaves its file out, and the server starts', async (context) => {
    const { dir, env, bucket } = await uploaded(context, minio);
    rmSync(dir, { recursive: true });
    await minio.remove(bucket, WEIGHTS_KEY);
    const result = await modelCache(['init', '--', 'echo', 'served'], { env });
    assert.equal(result.stdout, 'served\n');
    assert.match(result.stderr, /has no object hub\/models--org--model\/blobs/);
  });

  test('a corrupt local blob of the right size is found, replaced by init, and never uploaded', async (context) => {
    const { dir, env, bucket } = await uploaded(context, minio);
    const blob = join(dir, REPO, 'blobs', sha256(WEIGHTS));
    writeFileSync(blob, flipped(WEIGHTS));
    const upload = await modelCache(['upload'], { env });
    assert.equal(upload.code, 1);
    assert.match(
      linesAt('WARN', upload).join('\n'),
      /is not what its name says \(wanted sha256 .*, found sha256 /,
    );
    assert.ok((await minio.read(bucket, WEIGHTS_KEY)).equals(WEIGHTS));
    const restored = await modelCache(['init'], { env });
    assert.equal(restored.code, 0);
    assert.ok(readFileSync(blob).equals(WEIGHTS));
  });

  test('a corrupt blob that the bucket lacks is not sent, and no manifest names it', async (context) => {
    const { dir, env, bucket } = await prepared(context, minio);
    writeFileSync(join(dir, REPO, 'blobs', sha256(WEIGHTS)), flipped(WEIGHTS));
    const result = await modelCache(['upload'], { env });
    assert.equal(result.code, 1);
    assert.match(linesAt('WARN', result).join('\n'), /model.* is not what its name says/);
    const objects = await minio.objects(bucket);
    assert.equal(objects.has(WEIGHTS_KEY), false);
    assert.deepEqual(await manifestPaths(minio, bucket), [`blobs/${blobNameOfConfig(dir)}`]);
  });

  test('a blob that changes while it is sent never becomes an object', async (context) => {
    const { dir, env, bucket } = await prepared(context, minio);
    const large = randomBytes(64 * 1024 * 1024);
    const blobs = makeRepo(join(dir, 'hub'), 'org/large', COMMIT, { 'model.bin': { content: large } });
    const blob = blobs['model.bin'] ?? '';
    const child = startModelCache(['upload'], { env });
    const fd = openSync(blob, 'r+');
    const meddle = setInterval(() => writeSync(fd, randomBytes(16), 0, 16, large.length - 16), 1);
    const result = await finished(child);
    clearInterval(meddle);
    closeSync(fd);
    assert.equal(result.code, 1, result.stderr);
    assert.match(linesAt('WARN', result).join('\n'), /changed while it was sent/);
    assert.equal(
      (await minio.objects(bucket)).has(`models/hub/models--org--large/blobs/${sha256(large)}`),
      false,
    );
    assert.ok(!(await manifestPaths(minio, bucket)).some((path) => path.includes(sha256(large))));
    assert.deepEqual(await openUploads(minio, bucket), [], 'its parts are taken back');
  });

  test('a plain file that somebody still writes waits for the next upload', async (context) => {
    const { dir, env, bucket } = await prepared(context, minio);
    const path = join(dir, 'torch/hub/checkpoints/encodec.th');
    put(path, 'first half');
    const writer = spawn('sh', ['-c', 'exec 3>>"$0"; echo open; read line; printf " second half" >&3', path]);
    await new Promise((resolve) => writer.stdout.once('data', resolve));
    const during = await modelCache(['upload'], { env });
    assert.match(
      linesAt('WARN', during).join('\n'),
      /encodec\.th is still being written; the next upload takes it/,
    );
    assert.ok(!(await manifestPaths(minio, bucket)).includes('encodec.th'));
    await finished(writer, '\n');
    const afterwards = await modelCache(['upload'], { env });
    assert.equal(afterwards.code, 0, afterwards.stderr);
    rmSync(dir, { recursive: true });
    await modelCache(['init'], { env });
    assert.equal(readFileSync(path, 'utf8'), 'first half second half');
  });

  test('what a download in progress leaves beside finished files stays home', async (context) => {
    const { dir, env, bucket } = await prepared(context, minio);
    const debris = [
      'blobs/670900fd.incomplete',
      `blobs/${'a'.repeat(64)}.1a2b3c4d.incomplete`,
      'blobs/tmp_1234',
      'refs/main.1a2b3c4d.tmp',
      '.no_exist/x',
      'trees/x.json',
    ];
    for (const path of debris) put(join(dir, REPO, path), 'debris');
    put(join(dir, 'hub/.locks/models--org--model/x.lock'), '');
    put(join(dir, 'torch/hub/checkpoints/a.th.0123456789abcdef0123456789abcdef.partial'), 'debris');
    const lock = spawn('flock', [
      '-x',
      '-F',
      join(dir, 'hub/.locks/models--org--model/x.lock'),
      'sleep',
      '60',
    ]);
    const result = await modelCache(['upload'], { env });
    lock.kill();
    assert.equal(result.code, 0, result.stderr);
    const keys = [...(await minio.objects(bucket)).keys()].filter((key) => !key.includes('.model-cache'));
    assert.deepEqual(
      keys.toSorted(),
      [`models/${REPO}/blobs/${blobNameOfConfig(dir)}`, WEIGHTS_KEY].toSorted(),
    );
  });

  test('a server that appends to a file below the dir is not disturbed, and its file is not taken', async (context) => {
    const { dir, env } = await prepared(context, minio);
    put(join(dir, 'server.log'), 'line\n');
    const status = await modelCache(['status'], { env });
    assert.match(status.stdout, /server\.log: 1 file, 5 B, are no model cache/);
    appendFileSync(join(dir, 'server.log'), 'line\n');
    assert.equal((await modelCache(['upload'], { env })).code, 0);
  });

  test('verify finds a wrong blob in the cache, and verify --remote a wrong object in the bucket', async (context) => {
    const { dir, env, bucket } = await uploaded(context, minio);
    assert.equal((await modelCache(['verify'], { env })).code, 0);
    assert.equal((await modelCache(['verify', '--remote'], { env })).code, 0);
    writeFileSync(join(dir, REPO, 'blobs', sha256(WEIGHTS)), flipped(WEIGHTS));
    const local = await modelCache(['verify'], { env });
    assert.equal(local.code, 1);
    assert.match(local.stderr, /is not what it should be \(wanted sha256/);
    await minio.write(bucket, WEIGHTS_KEY, flipped(WEIGHTS));
    const remote = await modelCache(['verify', '--remote'], { env });
    assert.equal(remote.code, 1);
    assert.match(remote.stderr, /is not what its name or manifest says/);
  });

  test('where there is nothing to verify, that is what is said', async (context) => {
    const dir = await scratchDir(context);
    const env = { MODEL_CACHE_STORE: `file://${join(dir, 'store')}`, MODEL_CACHE_DIR: dir };
    for (const [args, says] of [
      [['verify'], /Nothing to verify: the cache holds no models/],
      [['verify', '--remote'], /Nothing to verify: the bucket holds no models/],
    ] as const) {
      const { code, stderr } = await modelCache(args, { env });
      assert.deepEqual([code, says.test(stderr)], [0, true], stderr);
    }
  });

  test('a link planted where a folder should be does not lead a write outside', async (context) => {
    const { dir, env } = await uploaded(context, minio);
    const scratch = await scratchDir(context);
    rmSync(dir, { recursive: true });
    put(join(dir, 'keep'), '');
    put(join(scratch, 'precious'), 'mine');
    symlinkSync(scratch, join(dir, 'hub'));
    const result = await modelCache(['init', '--', 'echo', 'served'], { env });
    assert.equal(result.stdout, 'served\n');
    assert.match(result.stderr, /is no folder, so nothing is written below it/);
    assert.deepEqual(Object.keys(contentsOf(scratch)), ['precious']);
  });
});

/** A dir with one repo, and an empty bucket. */
async function prepared(
  context: Parameters<typeof scratchDir>[0],
  minio: Minio,
): Promise<{ dir: string; bucket: string; env: Record<string, string> }> {
  const dir = join(await scratchDir(context), 'models');
  const bucket = await minio.createBucket();
  makeRepo(join(dir, 'hub'), 'org/model', COMMIT, {
    'model.bin': { content: WEIGHTS },
    'config.json': { content: CONFIG, lfs: false },
  });
  return { dir, bucket, env: { ...minio.env(bucket), MODEL_CACHE_DIR: dir } };
}

async function uploaded(
  context: Parameters<typeof scratchDir>[0],
  minio: Minio,
): ReturnType<typeof prepared> {
  const cache = await prepared(context, minio);
  const result = await modelCache(['upload'], { env: cache.env });
  assert.equal(result.code, 0, result.stderr);
  return cache;
}

async function manifestPaths(minio: Minio, bucket: string): Promise<readonly string[]> {
  const keys = [...(await minio.objects(bucket)).keys()].filter((key) => key.includes('/manifests/'));
  const manifests = await Promise.all(
    keys.map(
      async (key) => JSON.parse((await minio.read(bucket, key)).toString()) as { files: { path: string }[] },
    ),
  );
  return manifests.flatMap(({ files }) => files.map(({ path }) => path));
}

async function openUploads(minio: Minio, bucket: string): Promise<readonly unknown[]> {
  const { ListMultipartUploadsCommand } = await import('@aws-sdk/client-s3');
  const answer = await minio.client().send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  return answer.Uploads ?? [];
}

function blobNameOfConfig(dir: string): string {
  return readdirSync(join(dir, REPO, 'blobs')).find((name) => name.length === 40) ?? '';
}

function flipped(content: Buffer): Buffer {
  const copy = Buffer.from(content);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
}
