import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { manifestKey } from '../../src/model/bucket.ts';
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
import { linesAt, modelCache, scratchDir } from '../support/program.ts';
import { contentsOf, makeRepo, put } from '../support/tree.ts';

describe('a lock restores what a start with its selection restores', () => {
  const selections: readonly (readonly string[])[] = [
    [],
    ['--preset', 'f5-tts'],
    ['--model', 'SWivid/F5-TTS@main:F5TTS_v1_Base/*', '--exclude', '*.md'],
    ['--exclude', '*/F5TTS_Base/*', '--also', 'engines'],
    ['--exclude', 'charactr/*', '--exclude', 'torch/*'],
  ];
  let bucket = '';
  before(async () => {
    bucket = await mkdtemp(join(tmpdir(), 'model-cache-test-'));
    fill(join(bucket, 'source'));
    put(join(bucket, 'source/torch/hub/checkpoints/encodec.th'), 'torch');
    put(join(bucket, 'source/engines/a.plan'), 'engine');
    const env = { MODEL_CACHE_STORE: `file://${bucket}/models` };
    assert.equal((await upload(join(bucket, 'source'), env)).code, 0);
  });
  after(() => rm(bucket, { recursive: true }));

  for (const selection of selections) {
    test(selection.join(' ') || 'everything', async (context) => {
      const scratch = await scratchDir(context);
      const env = { MODEL_CACHE_STORE: `file://${bucket}/models` };
      const lock = await lockInto(join(scratch, 'models.lock'), selection, env);
      assert.equal((await modelCache(['lock', ...selection], { env })).stdout, lock);
      const dirs = ['free', 'locked'].map((name) => join(scratch, name));
      const [free = '', locked = ''] = dirs;
      assert.equal((await modelCache(['init', ...selection, '--dir', free], { env })).code, 0);
      const args = ['init', '--strict', '--locked', join(scratch, 'models.lock'), '--dir', locked];
      const result = await modelCache([...args, ...SERVER], { env });
      assert.equal(result.stdout, 'served\n', result.stderr);
      assert.deepEqual(linesAt('WARN', result), []);
      assert.match(
        (await modelCache([...args, ...SERVER], { env })).stderr,
        /completed - .*: nothing to fetch/,
      );
      const isOurs = (path: string): boolean => path === '.model-cache';
      assert.notDeepEqual(contentsOf(free, isOurs), {});
      assert.deepEqual(contentsOf(locked, isOurs), contentsOf(free, isOurs));
    });
  }
});

describe('a rollback is the older lock file', () => {
  test('on a fresh disk and on one that has the newer: the older files and the older ref', async (context) => {
    const scratch = await scratchDir(context);
    const env = { MODEL_CACHE_STORE: `file://${join(scratch, 'bucket')}` };
    const source = join(scratch, 'source');
    const dir = join(scratch, 'models');
    makeRepo(join(source, 'hub'), 'org/model', OLD, { 'w.bin': { content: Buffer.from('older') } });
    assert.equal((await upload(source, env)).code, 0);
    const older = join(scratch, 'older.lock');
    const first = await lockInto(older, [], env);
    const better = {
      'w.bin': { content: Buffer.from('newer') },
      'README.md': { content: Buffer.from('new') },
    };
    makeRepo(join(source, 'hub'), 'org/model', NEW, better);
    assert.equal((await upload(source, env)).code, 0);
    const newer = join(scratch, 'newer.lock');
    assert.notEqual(await lockInto(newer, [], env), first);
    for (const [lock, commit, content] of [
      [older, OLD, 'older'],
      [newer, NEW, 'newer'],
      [older, OLD, 'older'],
    ] as const) {
      const result = await modelCache(['init', '--strict', '--locked', lock, '--dir', dir, ...SERVER], {
        env,
      });
      assert.equal(result.stdout, 'served\n', result.stderr);
      const repo = join(dir, 'hub/models--org--model');
      assert.equal(readFileSync(join(repo, 'refs/main'), 'utf8'), commit);
      assert.equal(readFileSync(join(repo, 'snapshots', commit, 'w.bin'), 'utf8'), content);
    }
    const again = await modelCache(['upload', '--dir', dir], { env });
    assert.match(again.stderr, /Nothing to upload/, 'the way back of one pod moves no ref of the bucket');
  });

  test('what is on the disk and not locked stays; what is locked and otherwise here is replaced', async (context) => {
    const scratch = await scratchDir(context);
    const env = {
      MODEL_CACHE_STORE: `file://${join(scratch, 'bucket')}`,
      MODEL_CACHE_DIR: join(scratch, 'models'),
    };
    fill(join(scratch, 'source'));
    assert.equal((await upload(join(scratch, 'source'), env)).code, 0);
    const lock = join(scratch, 'models.lock');
    await lockInto(lock, ['--preset', 'f5-tts'], env);
    const dir = env.MODEL_CACHE_DIR;
    const own = makeRepo(join(dir, 'hub'), 'org/own', NEW, { 'x.bin': { content: Buffer.from('own') } });
    put(join(dir, F5, 'blobs', sha256(WEIGHTS)), randomBytes(WEIGHTS.length));
    const result = await modelCache(['init', '--strict', '--locked', lock, ...SERVER], { env });
    assert.equal(result.stdout, 'served\n', result.stderr);
    assert.equal(readFileSync(own['x.bin'] ?? '', 'utf8'), 'own');
    assert.ok(readFileSync(weightsIn(dir, OLD)).equals(WEIGHTS));
  });
});

describe('a lock file that cannot be used', () => {
  for (const [name, content, says] of [
    ['is not there', undefined, /models\.lock is not there/],
    ['is empty, as a failed `model-cache lock` leaves it', '', /models\.lock is empty/],
    [
      'is of a later version',
      '# model-cache lock, version 2: x\n',
      /found version 2\); use a newer model-cache/,
    ],
    ['is a folder', 'folder', /is no regular file/],
  ] as const) {
    test(`${name}: nothing is restored, one WARN, the server starts; --strict is 125`, async (context) => {
      const scratch = await scratchDir(context);
      const dir = join(scratch, 'models');
      const env = { MODEL_CACHE_STORE: `file://${join(scratch, 'bucket')}`, MODEL_CACHE_DIR: dir };
      fill(join(scratch, 'source'));
      assert.equal((await upload(join(scratch, 'source'), env)).code, 0);
      const lock = join(scratch, 'models.lock');
      if (content === 'folder') put(join(lock, 'x'), '');
      else if (content !== undefined) put(lock, content);
      const locked = { ...env, MODEL_CACHE_LOCKED: lock };
      const result = await modelCache(['init', ...SERVER], { env: locked });
      assert.equal(result.stdout, 'served\n');
      const warned = linesAt('WARN', result);
      assert.equal(warned.length, 1, result.stderr);
      assert.match(warned[0] ?? '', says);
      assert.match(warned[0] ?? '', /model sync failed: the lock file .*; the server will download to/);
      assert.equal(existsSync(join(dir, 'hub')), false);
      assert.equal((await modelCache(['init', '--strict', ...SERVER], { env: locked })).code, 125);
    });
  }
});

describe('what cannot be locked is 1, said on stderr, and nothing on stdout', () => {
  test('an empty bucket, one without manifests, a slip of the pen, a manifest that is damaged', async (context) => {
    const scratch = await scratchDir(context);
    const bucket = join(scratch, 'bucket');
    const env = { MODEL_CACHE_STORE: `file://${bucket}` };
    const refused = async (args: readonly string[], says: RegExp): Promise<void> => {
      const { code, stdout, stderr } = await modelCache(['lock', ...args], { env });
      assert.deepEqual([code, stdout], [1, ''], stderr);
      assert.match(stderr, says);
    };
    await refused([], /there is nothing in file:.* yet/);
    makeRepo(join(bucket, 'hub'), 'org/synced', OLD, { 'w.bin': { content: WEIGHTS } });
    await refused([], /has no manifests, only files such as hub\/.*; run `model-cache upload`/);
    rmSync(bucket, { recursive: true });
    fill(join(scratch, 'source'));
    assert.equal((await upload(join(scratch, 'source'), env)).code, 0);
    await refused(['--model', 'SWivid/F5-TSS'], /nothing in file:.* answers to --model SWivid\/F5-TSS/);
    await refused(['--exclude', '*'], /nothing in file:.* answers to the selection/);
    put(join(bucket, manifestKey(VOCOS, 'f'.repeat(64))), '{}');
    await refused(
      ['--model', 'SWivid/F5-TTS'],
      /nothing was locked: manifest f{64} of .* is not what its name/,
    );
  });
});

test('a dry run shows what a locked start would do, and what is withheld', async (context) => {
  const scratch = await scratchDir(context);
  const env = {
    MODEL_CACHE_STORE: `file://${join(scratch, 'bucket')}`,
    MODEL_CACHE_DIR: join(scratch, 'models'),
  };
  fill(join(scratch, 'source'));
  assert.equal((await upload(join(scratch, 'source'), env)).code, 0);
  const lock = join(scratch, 'models.lock');
  const text = await lockInto(lock, ['--preset', 'f5-tts'], env);
  rmSync(
    join(scratch, 'bucket', manifestKey(VOCOS, new RegExp(`([0-9a-f]{64}) ${VOCOS}`).exec(text)?.[1] ?? '')),
  );
  const { code, stdout } = await modelCache(['init', '--dry-run', '--locked', lock], { env });
  assert.equal(code, 0);
  assert.match(stdout, /^withheld +charactr\/vocos-mel-24khz$/m);
  assert.match(stdout, /^missing +200 kB +SWivid\/F5-TTS\/blobs/m);
  assert.doesNotMatch(stdout, /F5TTS_Base.*missing|openai/);
});
