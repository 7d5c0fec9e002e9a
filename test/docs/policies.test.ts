import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { sha256 } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { openUploads } from '../support/open-uploads.ts';
import { modelCache, scratchDir, type Finished } from '../support/program.ts';
import { documentedPolicy, keyWithPolicy, type Key } from '../support/reader-key.ts';
import { makeRepo, put } from '../support/tree.ts';

const MIB = 1024 * 1024;
const COMMIT = 'c1'.repeat(20);
const WEIGHTS = randomBytes(20 * MIB + 7);
const BLOB = `hub/models--org--model/blobs/${sha256(WEIGHTS)}`;
const OUTSIDE = 'elsewhere/secret';
const DENIED = { name: 'AccessDenied' };

describe('the documented policies', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test('a reader restores, and neither writes nor deletes nor looks into other prefixes', async (context) => {
    const { bucket, asOwner, source } = await bucketOf(context, minio);
    assert.equal((await modelCache(['upload', '--dir', source], { env: asOwner })).code, 0);
    const key = await keyFor(minio, 'reader', bucket);
    assert.ok(await restores(context, { ...asOwner, ...key }));
    const status = await modelCache(['status', '--check', '--dir', source], { env: { ...asOwner, ...key } });
    assert.equal(status.code, 0, status.stderr);
    const client = clientOf(context, minio, key);
    for (const refused of [
      new PutObjectCommand({ Bucket: bucket, Key: `models/${BLOB}`, Body: 'x' }),
      new PutObjectCommand({ Bucket: bucket, Key: 'models/new', Body: 'x' }),
      new DeleteObjectCommand({ Bucket: bucket, Key: `models/${BLOB}` }),
    ])
      await assert.rejects(client.send(refused), DENIED);
    await assert.rejects(client.send(new GetObjectCommand({ Bucket: bucket, Key: OUTSIDE })), DENIED);
  });

  test('a reader finds an empty bucket empty', async (context) => {
    const { bucket, asOwner } = await bucketOf(context, minio);
    const env = { ...asOwner, ...(await keyFor(minio, 'reader', bucket)) };
    const result = await modelCache(['init', '--write-back', 'off', '--', 'echo', 'served'], { env });
    assert.equal(result.stdout, 'served\n');
    assert.match(result.stderr, /Nothing in the bucket yet/);
  });

  test('a reader of a locked start restores without listing', async (context) => {
    const { bucket, asOwner, source } = await bucketOf(context, minio);
    assert.equal((await modelCache(['upload', '--dir', source], { env: asOwner })).code, 0);
    const lock = join(await scratchDir(context), 'models.lock');
    put(lock, (await modelCache(['lock'], { env: asOwner })).stdout);
    const key = await keyFor(minio, 'reader-locked', bucket);
    const env = { ...asOwner, ...key };
    assert.ok(await restores(context, env, ['--locked', lock]));
    const unlocked = await modelCache(['init', '--strict', '--', 'echo', 'served'], { env });
    assert.deepEqual([unlocked.code, unlocked.stdout], [125, '']);
    assert.match(unlocked.stderr, /AccessDenied.*s3:ListBucket/);
    const client = clientOf(context, minio, key);
    await assert.rejects(
      client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'models/' })),
      DENIED,
    );
    await assert.rejects(
      client.send(new PutObjectCommand({ Bucket: bucket, Key: 'models/new', Body: 'x' })),
      DENIED,
    );
    await assert.rejects(client.send(new GetObjectCommand({ Bucket: bucket, Key: OUTSIDE })), DENIED);
  });

  test('a writer fills the bucket, together with others, restores, and deletes nothing', async (context) => {
    const { bucket, asOwner, source, dir } = await bucketOf(context, minio);
    const key = await keyFor(minio, 'writer', bucket);
    const env = { ...asOwner, ...key };
    const uploads = await Promise.all([upload(source, env), upload(source, env)]);
    for (const { code, stderr } of uploads) {
      assert.equal(code, 0, stderr);
      // What is said when the key lacks the rights to share.
      assert.doesNotMatch(stderr, /uploads are not shared|not looked for/);
    }
    assert.deepEqual(await openUploads(minio, bucket, `models/${BLOB}`), [], 'none is left open');
    assert.ok((await minio.read(bucket, `models/${BLOB}`)).equals(WEIGHTS));
    assert.ok(await restores(context, env));
    assert.equal((await modelCache(['verify', '--remote', '--dir', dir], { env })).code, 0);
    const client = clientOf(context, minio, key);
    const begun = { Bucket: bucket, Key: 'models/begun' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(begun));
    await client.send(new AbortMultipartUploadCommand({ ...begun, UploadId }));
    for (const refused of [
      new DeleteObjectCommand({ Bucket: bucket, Key: `models/${BLOB}` }),
      new DeleteObjectCommand({ Bucket: bucket, Key: OUTSIDE }),
      new PutObjectCommand({ Bucket: bucket, Key: OUTSIDE, Body: 'x' }),
      new GetObjectCommand({ Bucket: bucket, Key: OUTSIDE }),
    ])
      await assert.rejects(client.send(refused), DENIED);
    assert.equal((await minio.read(bucket, OUTSIDE)).toString(), 'secret');
  });
});

interface Place {
  readonly bucket: string;
  readonly asOwner: Record<string, string>;
  /** A cache with something to upload. */
  readonly source: string;
  readonly dir: string;
}

async function bucketOf(context: TestContext, minio: Minio): Promise<Place> {
  const scratch = await scratchDir(context);
  const bucket = await minio.createBucket();
  await minio.write(bucket, OUTSIDE, 'secret');
  const source = join(scratch, 'source');
  makeRepo(join(source, 'hub'), 'org/model', COMMIT, {
    'model.bin': { content: WEIGHTS },
    'config.json': { content: Buffer.from('{}'), lfs: false },
  });
  const dir = join(scratch, 'models');
  return { bucket, asOwner: { ...minio.env(bucket), MODEL_CACHE_DIR: dir }, source, dir };
}

function upload(source: string, env: Record<string, string>): Promise<Finished> {
  return modelCache(['upload', '--dir', source, '--log-level', 'debug'], { env });
}

/** Whether a fresh disk gets everything. */
async function restores(
  context: TestContext,
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<boolean> {
  const dir = join(await scratchDir(context), 'models');
  const { stdout, stderr } = await modelCache(
    ['init', '--strict', '--write-back', 'off', '--dir', dir, ...args, '--', 'echo', 'served'],
    { env },
  );
  assert.equal(stdout, 'served\n', stderr);
  return existsSync(join(dir, BLOB)) && readFileSync(join(dir, BLOB)).equals(WEIGHTS);
}

function keyFor(minio: Minio, policy: Parameters<typeof documentedPolicy>[0], bucket: string): Promise<Key> {
  return keyWithPolicy(minio, documentedPolicy(policy, bucket));
}

function clientOf(context: TestContext, minio: Minio, key: Key): S3Client {
  const client = new S3Client({
    endpoint: minio.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: {
      accessKeyId: key.AWS_ACCESS_KEY_ID,
      secretAccessKey: key.AWS_SECRET_ACCESS_KEY,
      sessionToken: key.AWS_SESSION_TOKEN,
    },
  });
  context.after(() => client.destroy());
  return client;
}
