import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { linesAt, modelCache, scratchDir } from '../support/program.ts';
import { makeRepo, put } from '../support/tree.ts';

const COMMIT = 'c1'.repeat(20);

describe('what is restored, and where', () => {
  test('--preset f5-tts takes the checkpoint and the vocoder, and leaves the rest in the bucket', async (context) => {
    const { dir, env } = await bucketWith(context);
    const result = await modelCache(['init', '--preset', 'f5-tts'], { env });
    assert.equal(result.code, 0, result.stderr);
    assert.ok(existsSync(snapshot(dir, 'SWivid--F5-TTS', 'F5TTS_v1_Base/model_1250000.safetensors')));
    assert.equal(existsSync(snapshot(dir, 'SWivid--F5-TTS', 'F5TTS_Base/model_1200000.safetensors')), false);
    assert.ok(existsSync(snapshot(dir, 'charactr--vocos-mel-24khz', 'config.yaml')));
    assert.equal(existsSync(join(dir, 'hub/models--openai--whisper')), false);
  });

  test('--exclude leaves out by ORG/NAME/path, and --also mirrors and exports one more folder', async (context) => {
    const { dir, env } = await bucketWith(context);
    const args = ['--exclude', '*whisper*', '--also', 'engines=ENGINE_DIR'];
    const result = await modelCache(['init', ...args, '--', 'sh', '-c', 'cat "$ENGINE_DIR/a.plan"'], { env });
    assert.equal(result.stdout, 'engine', result.stderr);
    assert.equal(existsSync(join(dir, 'hub/models--openai--whisper')), false);
    assert.ok(existsSync(snapshot(dir, 'SWivid--F5-TTS', 'F5TTS_Base/model_1200000.safetensors')));
  });

  test('a folder that --also does not name stays in the bucket', async (context) => {
    const { dir, env } = await bucketWith(context);
    assert.equal((await modelCache(['init'], { env })).code, 0);
    assert.equal(existsSync(join(dir, 'engines')), false);
  });

  test('a --model that matches nothing is a WARN, and the server starts', async (context) => {
    const { env } = await bucketWith(context);
    const result = await modelCache(['init', '--model', 'SWivid/F5-TSS', '--', 'echo', 'served'], { env });
    assert.equal(result.stdout, 'served\n');
    assert.match(linesAt('WARN', result).join('\n'), /nothing in file:.* answers to --model SWivid\/F5-TSS/);
  });

  test('a cache that a baked image has at HF_HOME is linked, not lost and not fetched again', async (context) => {
    const { dir, env, scratch } = await bucketWith(context);
    const baked = join(scratch, 'baked');
    const blobs = makeRepo(join(baked, 'hub'), 'charactr/vocos-mel-24khz', COMMIT, {
      'config.yaml': { content: Buffer.from('vocos'), lfs: false },
    });
    makeRepo(join(baked, 'hub'), 'org/only-here', COMMIT, { 'model.bin': { content: Buffer.from('baked') } });
    put(join(baked, 'token'), 'hf_secret');
    const result = await modelCache(['init', '--', 'sh', '-c', 'echo "$HF_TOKEN_PATH"'], {
      env: { ...env, HF_HOME: baked },
    });
    assert.equal(result.stdout, `${join(baked, 'token')}\n`);
    assert.match(
      linesAt('WARN', result).join('\n'),
      new RegExp(`HF_HOME was ${baked}; the server gets ${dir}`),
    );
    assert.match(result.stderr, new RegExp(`models in ${join(baked, 'hub')} are linked into ${dir}`));
    const inode = statSync(snapshot(dir, 'charactr--vocos-mel-24khz', 'config.yaml')).ino;
    assert.equal(inode, statSync(blobs['config.yaml'] ?? '').ino);
    assert.equal(readFileSync(snapshot(dir, 'org--only-here', 'model.bin'), 'utf8'), 'baked');
    assert.equal(readFileSync(join(dir, 'hub/models--org--only-here/refs/main'), 'utf8'), COMMIT);
  });

  test('a baked blob that is corrupt is replaced here, and left alone there', async (context) => {
    const { dir, env, scratch } = await bucketWith(context);
    const baked = join(scratch, 'baked');
    const blobs = makeRepo(join(baked, 'hub'), 'charactr/vocos-mel-24khz', COMMIT, {
      'config.yaml': { content: Buffer.from('vocos'), lfs: false },
    });
    put(blobs['config.yaml'] ?? '', 'vocoz');
    assert.equal((await modelCache(['init', '--', 'true'], { env: { ...env, HF_HOME: baked } })).code, 0);
    assert.equal(readFileSync(snapshot(dir, 'charactr--vocos-mel-24khz', 'config.yaml'), 'utf8'), 'vocos');
    assert.equal(readFileSync(blobs['config.yaml'] ?? '', 'utf8'), 'vocoz');
  });

  test('what a reused cache has and the bucket lacks is uploaded', async (context) => {
    const { env, scratch } = await bucketWith(context);
    const baked = join(scratch, 'baked');
    makeRepo(join(baked, 'hub'), 'org/only-here', COMMIT, { 'model.bin': { content: Buffer.from('baked') } });
    const withBaked = { ...env, HF_HOME: baked };
    assert.equal((await modelCache(['init', '--', 'true'], { env: withBaked })).code, 0);
    // As a shell that has evaluated the exports: the dir itself remembers what its blobs lead to.
    const upload = await modelCache(['upload'], { env });
    assert.equal(upload.code, 0, upload.stderr);
    const elsewhere = { ...env, MODEL_CACHE_DIR: join(scratch, 'elsewhere') };
    assert.equal((await modelCache(['init'], { env: elsewhere })).code, 0);
    const restored = snapshot(elsewhere.MODEL_CACHE_DIR, 'org--only-here', 'model.bin');
    assert.equal(readFileSync(restored, 'utf8'), 'baked');
    assert.ok(
      lstatSync(
        join(
          elsewhere.MODEL_CACHE_DIR,
          'hub/models--org--only-here/blobs',
          readlinkSync(restored).split('/').at(-1) ?? '',
        ),
      ).isFile(),
    );
  });

  test('what an upload does not take is said, file by file', async (context) => {
    const { dir, env } = await bucketWith(context);
    makeRepo(join(dir, 'hub'), 'org/odd', COMMIT, { 'a.bin': { content: Buffer.from('a') } });
    put(join(dir, 'elsewhere'), 'b');
    symlinkSync('../../../elsewhere', join(dir, 'hub/models--org--odd/blobs', 'b'.repeat(64)));
    put(join(dir, 'engines/new\nline'), 'c');
    const upload = await modelCache(['upload', '--also', 'engines'], { env });
    assert.equal(upload.code, 1);
    assert.match(upload.stderr, /blobs\/b{64}" is not taken: it is a link to a place outside the cache/);
    assert.match(upload.stderr, /engines\/new\\nline" is not taken: no object can have such a name/);
    const status = await modelCache(['status', '--check', '--also', 'engines'], { env });
    assert.equal(status.code, 1);
    assert.match(status.stdout, /^left out: "engines\/new\\nline" is not taken: no object/m);
    const verify = await modelCache(['verify', '--also', 'engines'], { env });
    assert.equal(verify.code, 0);
    assert.match(
      verify.stderr,
      /not verified: "engines\/new\\nline" is not taken[^]*all as they should be; 2 files left out/,
    );
  });

  test('a store in a folder of the dir is no part of the cache', async (context) => {
    const volume = await scratchDir(context);
    const store = join(volume, 'store');
    const env = { MODEL_CACHE_STORE: `file://${store}`, MODEL_CACHE_DIR: volume };
    makeRepo(join(volume, 'hub'), 'org/one', COMMIT, { 'a.bin': { content: Buffer.from('a') } });
    for (const says of [/Models uploaded/, /Nothing to upload/]) {
      const upload = await modelCache(['upload'], { env });
      assert.match(upload.stderr, says);
    }
    cpSync(join(volume, 'hub'), join(volume, 'source/store/hub'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    const source = { ...env, MODEL_CACHE_DIR: join(volume, 'source') };
    assert.equal((await modelCache(['upload'], { env: source })).code, 0);
    rmSync(join(volume, 'source'), { recursive: true });
    const init = await modelCache(['init', '--write-back', 'off', '--', 'true'], { env });
    assert.match(init.stderr, /nothing to fetch, 1 file here already/);
    assert.equal((await modelCache(['status', '--check'], { env })).code, 0);
    assert.deepEqual(readdirSync(join(store, 'hub/models--org--one')), ['blobs']);
  });

  test('nor is another bucket there, nor a store that is reached by a link', async (context) => {
    const scratch = await scratchDir(context);
    const volume = join(scratch, 'volume');
    mkdirSync(volume);
    symlinkSync(volume, join(scratch, 'link'));
    const env = { MODEL_CACHE_STORE: `file://${join(scratch, 'link/store')}`, MODEL_CACHE_DIR: volume };
    for (const place of ['store', 'old']) {
      const hub = join(scratch, 'source', place, 'hub');
      makeRepo(hub, 'org/one', COMMIT, { 'a.bin': { content: Buffer.from('a') } });
    }
    const source = { ...env, MODEL_CACHE_DIR: join(scratch, 'source') };
    assert.equal((await modelCache(['upload'], { env: source })).code, 0);
    put(join(volume, 'old/.model-cache/v1/format.json'), '{}');
    const plan = await modelCache(['init', '--dry-run', '--json'], { env });
    assert.deepEqual((JSON.parse(plan.stdout) as { items: unknown }).items, []);
    const init = await modelCache(['init', '--write-back', 'off', '--', 'true'], { env });
    assert.equal(init.code, 0, init.stderr);
    assert.deepEqual(readdirSync(join(volume, 'old')), ['.model-cache']);
    assert.equal(existsSync(join(volume, 'store/hub')), false);
    assert.equal((await modelCache(['status', '--check'], { env })).code, 0);
  });

  test('the second dir is used when the first cannot be', async (context) => {
    const { env, scratch } = await bucketWith(context);
    put(join(scratch, 'file'), '');
    const second = join(scratch, 'second');
    const result = await modelCache(['init', '--', 'sh', '-c', 'echo $HF_HOME'], {
      env: { ...env, MODEL_CACHE_DIR: `${join(scratch, 'file')}:${second}` },
    });
    assert.equal(result.stdout, `${second}\n`);
  });

  test('nothing of ours lies outside .model-cache, and the state file is for this user alone', async (context) => {
    const { dir, env } = await bucketWith(context);
    assert.equal((await modelCache(['init'], { env })).code, 0);
    assert.equal(statSync(join(dir, '.model-cache/state.json')).mode & 0o777, 0o600);
    mkdirSync(join(dir, 'other'));
    symlinkSync('/etc', join(dir, 'other', 'link'));
    const status = await modelCache(['status', '--check'], { env });
    assert.doesNotMatch(status.stdout, /are no model cache/);
  });
});

/** A folder store that holds F5-TTS, vocos, Whisper and an engine; and an empty dir. */
async function bucketWith(
  context: Parameters<typeof scratchDir>[0],
): Promise<{ dir: string; scratch: string; env: Record<string, string> & { MODEL_CACHE_DIR: string } }> {
  const scratch = await scratchDir(context);
  const source = join(scratch, 'source');
  makeRepo(join(source, 'hub'), 'SWivid/F5-TTS', COMMIT, {
    'F5TTS_v1_Base/model_1250000.safetensors': { content: Buffer.from('v1') },
    'F5TTS_Base/model_1200000.safetensors': { content: Buffer.from('v0') },
  });
  makeRepo(join(source, 'hub'), 'charactr/vocos-mel-24khz', COMMIT, {
    'config.yaml': { content: Buffer.from('vocos'), lfs: false },
  });
  makeRepo(join(source, 'hub'), 'openai/whisper', COMMIT, {
    'model.safetensors': { content: Buffer.from('whisper') },
  });
  put(join(source, 'engines/a.plan'), 'engine');
  const env = {
    MODEL_CACHE_STORE: `file://${join(scratch, 'bucket')}`,
    MODEL_CACHE_DIR: join(scratch, 'models'),
  };
  const uploaded = await modelCache(['upload', '--dir', source, '--also', 'engines'], { env });
  assert.equal(uploaded.code, 0, uploaded.stderr);
  return { dir: env.MODEL_CACHE_DIR, scratch, env };
}

function snapshot(dir: string, repo: string, file: string): string {
  return join(dir, `hub/models--${repo}`, 'snapshots', COMMIT, file);
}
