import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { manifestKey } from '../../src/model/bucket.ts';
import { serializeManifest } from '../../src/model/manifest.ts';
import { ROOT_ONLY } from '../cache/cache-dir.ts';
import { manifest } from '../model/builders.ts';
import { linesAt, modelCache, scratchDir, type Finished } from '../support/program.ts';
import { makeRepo, put } from '../support/tree.ts';
import { surroundingsOf } from './surroundings.ts';

const COMMIT = 'c1'.repeat(20);
const WEIGHTS = Buffer.from('weights');
const SERVER = ['--', 'sh', '-c', 'echo "served from $HF_HOME"'];

interface World {
  readonly dir: string;
  readonly elsewhere: string;
  readonly temporary: string;
  readonly env: Record<string, string>;
}

describe('a dir in which .model-cache is a link to somebody else’s folder', () => {
  test('is refused, and another is used', async (context) => {
    const { dir, elsewhere, temporary, env } = await makeWorld(context);
    symlinkSync(elsewhere, join(dir, '.model-cache'));
    const before = surroundingsOf(elsewhere);
    const result = await modelCache(['init', '--write-back', 'off', ...SERVER], { env });
    assert.match(
      linesAt('WARN', result).join('\n'),
      /\.model-cache is a link \(wanted a folder, found a link\)/,
    );
    assertServedFrom(result, join(temporary, `model-cache-${process.geteuid?.()}`));
    assert.deepEqual(surroundingsOf(elsewhere), before);
    assert.equal(existsSync(join(dir, 'hub')), false);
  });

  test('is not written through when no dir can be used, or the store is dead', async (context) => {
    const { dir, elsewhere, env } = await makeWorld(context);
    symlinkSync(elsewhere, join(dir, '.model-cache'));
    const before = surroundingsOf(elsewhere);
    const dead = { TMPDIR: '/proc/nowhere', MODEL_CACHE_STORE: 'file:///proc/nowhere/store' };
    const { code, stderr } = await modelCache(['init', ...SERVER], { env: { ...env, ...dead } });
    assert.equal(code, 0, stderr);
    assert.deepEqual(surroundingsOf(elsewhere), before);
  });

  test('is read by the other commands, and not written through either', async (context) => {
    const { dir, elsewhere, env } = await makeWorld(context);
    makeRepo(join(dir, 'hub'), 'org/local', COMMIT, { 'model.bin': { content: Buffer.from('local') } });
    symlinkSync(elsewhere, join(dir, '.model-cache'));
    writeFileSync(join(elsewhere, 'state.json'), '{}');
    const before = surroundingsOf(elsewhere);
    for (const command of ['upload', 'status', 'verify']) {
      const { code, stderr } = await modelCache([command], { env });
      assert.equal(code, 0, `${command}: ${stderr}`);
    }
    assert.deepEqual(surroundingsOf(elsewhere), before);
  });
});

test(
  'a .model-cache that a stranger has put where everybody may write is refused',
  { skip: ROOT_ONLY },
  async (context) => {
    const { dir, temporary, env } = await makeWorld(context);
    chmodSync(dir, 0o777);
    mkdirSync(join(dir, '.model-cache', 'partial'), { recursive: true });
    for (const folder of ['.model-cache', '.model-cache/partial'])
      chownSync(join(dir, folder), 12_345, 12_345);
    const result = await modelCache(['init', '--write-back', 'off', ...SERVER], { env });
    assert.match(linesAt('WARN', result).join('\n'), /\.model-cache belongs to someone else \(wanted uid 0/);
    assertServedFrom(result, join(temporary, 'model-cache-0'));
  },
);

describe('nobody waits', () => {
  test('for a reader of the report', async (context) => {
    const { dir, env } = await makeWorld(context);
    const report = pipeAt(join(dir, '..', 'report'));
    const args = ['init', '--write-back', 'off', '--report', report, ...SERVER];
    const result = await modelCache(args, { env });
    assertServedFrom(result, dir);
    assert.match(linesAt('WARN', result).join('\n'), /the report was not written to .*ENXIO/);
  });

  test('for a bundle of certificates that is a pipe', async (context) => {
    const { dir, env } = await makeWorld(context);
    const bundle = pipeAt(join(dir, '..', 'bundle'));
    const s3 = {
      MODEL_CACHE_STORE: 's3://bucket/models',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_CA_BUNDLE: bundle,
    };
    const result = await modelCache(['init', ...SERVER], { env: { ...env, ...s3 } });
    assert.equal(result.stdout, `served from ${dir}\n`, result.stderr);
    assert.match(linesAt('WARN', result).join('\n'), /AWS_CA_BUNDLE names a file that cannot be read/);
  });

  test('for pipes where our own files are, and the next start has files there', async (context) => {
    const { dir, env } = await makeWorld(context);
    mkdirSync(join(dir, '.model-cache', 'partial'), { recursive: true });
    const names = ['state.json', 'env', 'report.json', 'write-back.log', 'write-back.lock', 'partial/x'];
    for (const name of names) pipeAt(join(dir, '.model-cache', name));
    assertServedFrom(await modelCache(['init', '--write-back', 'off', ...SERVER], { env }), dir);
    assert.match(readFileSync(join(dir, '.model-cache', 'env'), 'utf8'), /^export HF_HOME=/m);
  });
});

test('what a bucket promises of any size, and does not hold, does not keep the rest from being restored', async (context) => {
  const { dir, env } = await makeWorld(context);
  const sha256 = 'f'.repeat(64);
  const huge = manifest({
    tree: 'hub/models--org--huge',
    files: [{ path: `blobs/${sha256}`, size: Number.MAX_SAFE_INTEGER, sha256 }],
  });
  put(
    join(dir, '..', 'bucket', manifestKey(huge.manifest.tree, huge.name)),
    serializeManifest(huge.manifest).bytes,
  );
  const second = join(dir, '..', 'second');
  cpSync(join(dir, '..', 'source', 'hub'), join(second, 'hub'), { recursive: true, verbatimSymlinks: true });
  const dirs = ['/proc/model-cache', dir, second].flatMap((path) => ['--dir', path]);
  const result = await modelCache(['init', '--write-back', 'off', ...dirs, ...SERVER], { env });
  assertServedFrom(result, dir);
  const warnings = linesAt('WARN', result);
  assert.match(
    warnings.join('\n'),
    /left out: 1 file, 9\.01 PB, which the bucket promises and does not hold/,
  );
  assert.equal(
    warnings.filter((line) => line.includes('/proc/model-cache')).length,
    1,
    'each dir is told of once',
  );
  const { proved } = JSON.parse(readFileSync(join(second, '.model-cache', 'state.json'), 'utf8')) as {
    proved: object;
  };
  assert.equal(
    Object.keys(proved).length > 0,
    true,
    'what was hashed is remembered where nothing was restored',
  );
});

/** A bucket with one repo, a dir, and a folder that is nobody's business. */
async function makeWorld(context: TestContext): Promise<World> {
  const scratch = await scratchDir(context);
  chmodSync(scratch, 0o755);
  const [dir, elsewhere, temporary, source] = ['dir', 'elsewhere', 'tmp', 'source'].map((name) => {
    const path = join(scratch, name);
    mkdirSync(path);
    return path;
  }) as [string, string, string, string];
  mkdirSync(join(elsewhere, 'partial'));
  writeFileSync(join(elsewhere, 'precious'), 'not yours');
  makeRepo(join(source, 'hub'), 'org/model', COMMIT, { 'model.bin': { content: WEIGHTS } });
  const env = { MODEL_CACHE_STORE: `file://${join(scratch, 'bucket')}`, TMPDIR: temporary };
  const { code, stderr } = await modelCache(['upload', '--dir', source], { env });
  assert.equal(code, 0, stderr);
  return { dir, elsewhere, temporary, env: { ...env, MODEL_CACHE_DIR: dir } };
}

function assertServedFrom(result: Finished, dir: string): void {
  assert.equal(result.stdout, `served from ${dir}\n`, result.stderr);
  const restored = join(dir, 'hub/models--org--model/snapshots', COMMIT, 'model.bin');
  assert.deepEqual(readFileSync(restored), WEIGHTS);
}

function pipeAt(path: string): string {
  assert.equal(spawnSync('mkfifo', [path]).status, 0, path);
  return path;
}
