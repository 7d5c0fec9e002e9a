import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { loadBlake3 } from '../../src/blake3.ts';
import { makeLargeBlob, type LargeBlob } from '../support/large-blob.ts';
import { sha256 } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { linesAt, modelCache, scratchDir } from '../support/program.ts';

const MIB = 1024 * 1024;
const skip = loadBlake3() === undefined ? 'there is no build of BLAKE3 here' : false;

describe('a locked start of a file in several parts', { skip }, () => {
  let minio: Minio;
  let bucket: string;
  let blob: LargeBlob;
  const scratch = mkdtempSync(join(tmpdir(), 'model-cache-test-'));
  const lock = join(scratch, 'models.lock');
  before(async () => {
    minio = await startMinio();
    bucket = await minio.createBucket();
    blob = makeLargeBlob(scratch, 41 * MIB + 5);
    blob.linkInto(join(scratch, 'source'));
    const env = minio.env(bucket);
    const uploaded = await modelCache(['upload', '--dir', join(scratch, 'source')], { env });
    assert.equal(uploaded.code, 0, uploaded.stderr);
    writeFileSync(lock, (await modelCache(['lock'], { env })).stdout);
  });
  after(async () => {
    await minio.stop();
    rmSync(scratch, { recursive: true });
  });

  const lockedStart = async (
    context: TestContext,
  ): Promise<{ dir: string; stderr: string; warned: string }> => {
    const dir = join(await scratchDir(context), 'models');
    const env = { ...minio.env(bucket), MODEL_CACHE_DIR: dir };
    const result = await modelCache(['init', '--locked', lock], { env });
    assert.equal(result.code, 0, result.stderr);
    return { dir, stderr: result.stderr, warned: linesAt('WARN', result).join('\n') };
  };
  const restored = (dir: string): string => join(dir, 'hub/models--org--large/blobs', blob.sha256);

  test('restores it, byte for byte', async (context) => {
    const { dir, stderr, warned } = await lockedStart(context);
    assert.match(stderr, /sync completed/);
    assert.equal(warned, '');
    assert.equal(sha256(readFileSync(restored(dir))), blob.sha256);
  });

  test('leaves it out where one part is other than its manifest says, and says which', async (context) => {
    const bytes = await minio.read(bucket, blob.key);
    const spoiled = Buffer.from(bytes);
    spoiled.writeUInt8(spoiled.readUInt8(17 * MIB) ^ 1, 17 * MIB);
    await minio.write(bucket, blob.key, spoiled);
    const { dir, warned } = await lockedStart(context);
    await minio.write(bucket, blob.key, bytes);
    assert.match(warned, /wanted part 3 as its digest says, found other bytes/);
    assert.equal(existsSync(restored(dir)), false);
  });
});
