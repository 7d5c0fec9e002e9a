import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sha256 } from '../support/hub.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import {
  environmentFor,
  finished,
  modelCache,
  PROGRAM,
  scratchDir,
  type Finished,
} from '../support/program.ts';
import { put } from '../support/tree.ts';

const COMMIT = 'c1'.repeat(20);
const MIB = 1024 * 1024;

describe('within limits', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test('a blob of 2 GiB goes up and comes back in less than 200 MiB of memory', async (context) => {
    const dir = join(await scratchDir(context), 'models');
    const env = { ...minio.env(await minio.createBucket()), MODEL_CACHE_DIR: dir };
    const blob = makeLargeBlob(dir, 2048 * MIB);
    const upload = await measured(['upload'], env);
    assert.equal(upload.code, 0, upload.stderr);
    context.diagnostic(`upload: peak RSS ${upload.peakMiB} MiB`);
    rmSync(dir, { recursive: true });
    const init = await measured(['init'], env);
    assert.equal(init.code, 0, init.stderr);
    context.diagnostic(`init: peak RSS ${init.peakMiB} MiB`);
    assert.equal(statSync(blob).size, 2048 * MIB);
    assert.match(init.stderr, /S3 model sync completed/);
    assert.ok(upload.peakMiB < 200, `upload: ${upload.peakMiB} MiB`);
    assert.ok(init.peakMiB < 200, `init: ${init.peakMiB} MiB`);
  });

  test('a cache of 20 000 files is planned, file by file', async (context) => {
    const scratch = await scratchDir(context);
    const dir = join(scratch, 'models');
    const env = { MODEL_CACHE_STORE: `file://${join(scratch, 'bucket')}`, MODEL_CACHE_DIR: dir };
    makeManyFiles(dir, 20_000);
    const upload = await modelCache(['upload'], { env });
    assert.equal(upload.code, 0, upload.stderr);
    for (const state of ['with', 'without']) {
      if (state === 'without') rmSync(join(dir, '.model-cache'), { recursive: true });
      const start = performance.now();
      const plan = await modelCache(['init', '--dry-run'], { env });
      context.diagnostic(
        `init --dry-run, ${state} a state file: ${((performance.now() - start) / 1000).toFixed(2)} s`,
      );
      assert.equal(plan.code, 0, plan.stderr);
      assert.match(plan.stdout, /0 files, 0 B to fetch; 20000 files, .* here already/);
    }
    rmSync(dir, { recursive: true });
    const start = performance.now();
    const empty = await modelCache(['init', '--dry-run'], { env });
    context.diagnostic(`init --dry-run, nothing here: ${((performance.now() - start) / 1000).toFixed(2)} s`);
    assert.match(empty.stdout, /20000 files, .* to fetch; 0 files/);
  });
});

/** Runs the program and reads the peak memory that the kernel counted for it. */
async function measured(
  args: readonly string[],
  env: Record<string, string>,
): Promise<Finished & { peakMiB: number }> {
  const script = `import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("PEAK", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)`;
  const child = spawn('python3', ['-c', script, process.execPath, PROGRAM, ...args], {
    env: environmentFor(env),
  });
  const result = await finished(child);
  const kilobytes = Number(/PEAK (\d+)/.exec(result.stderr)?.[1]);
  return { ...result, peakMiB: Math.round(kilobytes / 1024) };
}

/** A blob whose MiBs all differ, made without holding it in memory. Returns its path. */
function makeLargeBlob(dir: string, size: number): string {
  const blobs = join(dir, 'hub/models--org--large/blobs');
  const snapshot = join(dir, 'hub/models--org--large/snapshots', COMMIT);
  mkdirSync(blobs, { recursive: true });
  mkdirSync(snapshot, { recursive: true });
  const hash = createHash('sha256');
  const fd = openSync(join(blobs, 'new'), 'w');
  const block = Buffer.alloc(MIB, 'weights');
  for (let position = 0; position < size; position += MIB) {
    block.writeBigUInt64LE(BigInt(position), 0);
    hash.update(block);
    writeSync(fd, block);
  }
  closeSync(fd);
  const name = hash.digest('hex');
  renameSync(join(blobs, 'new'), join(blobs, name));
  symlinkSync(`../../blobs/${name}`, join(snapshot, 'model.bin'));
  put(join(dir, 'hub/models--org--large/refs/main'), COMMIT);
  return join(blobs, name);
}

function makeManyFiles(dir: string, count: number): void {
  const repo = join(dir, 'hub/models--org--many');
  const snapshot = join(repo, 'snapshots', COMMIT);
  for (let index = 0; index < count; index += 1) {
    const content = Buffer.from(`file ${index}`);
    const name = sha256(content);
    const folder = `part-${index % 50}`;
    put(join(repo, 'blobs', name), content);
    mkdirSync(join(snapshot, folder), { recursive: true });
    symlinkSync(`../../../blobs/${name}`, join(snapshot, folder, `file-${index}`));
  }
  put(join(repo, 'refs/main'), COMMIT);
}
