import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startMinio, type Minio } from '../support/minio.ts';
import { linesAt, modelCache, scratchDir, type Finished } from '../support/program.ts';
import { makeRepo, put } from '../support/tree.ts';

const SERVER = [
  '--',
  'sh',
  '-c',
  'echo "served from $HF_HOME $HF_HUB_CACHE $HUGGINGFACE_HUB_CACHE $TRANSFORMERS_CACHE $TORCH_HOME"',
];
const COMMIT = 'c1'.repeat(20);

/** What is broken, the variables that break it, and what the one WARN must say. */
interface Row {
  readonly name: string;
  readonly env: (store: Record<string, string>) => Record<string, string>;
  readonly says: RegExp;
}

const ROWS: readonly Row[] = [
  {
    name: 'the store is dead (refused)',
    env: (store) => ({ ...store, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }),
    says: /cannot reach http:\/\/127\.0\.0\.1:1: ECONNREFUSED.*check the endpoint/,
  },
  {
    name: 'the store has no such name',
    env: (store) => ({ ...store, AWS_ENDPOINT_URL: 'http://no-such-host.invalid:9000' }),
    says: /cannot reach http:\/\/no-such-host\.invalid:9000: (ENOTFOUND|EAI_AGAIN)/,
  },
  {
    name: 'the access key is wrong',
    env: (store) => ({ ...store, AWS_ACCESS_KEY_ID: 'nobody' }),
    says: /InvalidAccessKeyId.*check the endpoint/,
  },
  {
    name: 'the secret is wrong',
    env: (store) => ({ ...store, AWS_SECRET_ACCESS_KEY: 'wrong-wrong-wrong' }),
    says: /SignatureDoesNotMatch.*check the secret access key/,
  },
  {
    name: 'there are no credentials',
    env: ({ MODEL_CACHE_STORE = '', AWS_ENDPOINT_URL = '' }) => ({ MODEL_CACHE_STORE, AWS_ENDPOINT_URL }),
    says: /no credentials for http.*set AWS_ACCESS_KEY_ID/,
  },
  {
    name: 'the bucket is empty',
    env: (store) => store,
    says: /Nothing in the bucket yet: the server will download/,
  },
  {
    name: 'there is no such bucket',
    env: (store) => ({ ...store, MODEL_CACHE_STORE: 's3://no-such-bucket/models' }),
    says: /there is no bucket no-such-bucket; make it with: aws s3 mb s3:\/\/no-such-bucket --endpoint-url http/,
  },
  { name: 'there are no settings', env: () => ({}), says: /no store is configured; set MODEL_CACHE_STORE/ },
  {
    name: "the store's URL is none",
    env: (store) => ({ ...store, MODEL_CACHE_STORE: 'http://bucket/models' }),
    says: /MODEL_CACHE_STORE: the store is named in another way \(wanted s3:/,
  },
];

describe('whatever is wrong, the server runs, its variables are set, and one WARN says why', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  for (const { name, env, says } of ROWS) {
    test(name, async (context) => {
      const dir = join(await scratchDir(context), 'models');
      const store = minio.env(await minio.createBucket());
      const result = await modelCache(['init', ...SERVER], { env: { ...env(store), MODEL_CACHE_DIR: dir } });
      assertServed(result, dir);
      const warnings = linesAt('WARN', result);
      assert.match(warnings.join('\n'), says);
      assert.equal(warnings.length, 1, result.stderr);
    });
  }

  test('a variable holds nonsense: the default is used, and the restore goes on', async (context) => {
    const { dir, env } = await filledBucket(context, minio);
    const result = await modelCache(['init', ...SERVER], {
      env: { ...env, MODEL_CACHE_TIMEOUT: 'nonsense' },
    });
    assertServed(result, dir);
    assert.match(
      linesAt('WARN', result).join('\n'),
      /MODEL_CACHE_TIMEOUT: not a duration \(wanted 90s.*found nonsense\).*default/,
    );
    assert.equal(linesAt('WARN', result).length, 1);
    assert.match(result.stderr, /S3 model sync completed - models cached in/);
  });

  for (const plant of ['statfsSync', 'lstatSync', 'renameSync', 'mkdirSync', 'symlinkSync'] as const) {
    test(`an exception planted in ${plant}`, async (context) => {
      const { env, scratch } = await filledBucket(context, minio);
      const planted = join(scratch, 'plant.mjs');
      put(
        planted,
        `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module';
        fs.${plant} = () => { throw new TypeError('planted'); }; syncBuiltinESMExports();`,
      );
      const result = await modelCache(['init', ...SERVER], {
        env: { ...env, NODE_OPTIONS: `--import ${planted}` },
      });
      assert.equal(result.code, 0, result.stderr);
      assert.match(result.stdout, /^served from \//);
      assert.match(linesAt('WARN', result).join('\n'), /planted/);
    });
  }

  test('an exception where nobody is looking', async (context) => {
    const { dir, env, scratch } = await filledBucket(context, minio);
    const planted = join(scratch, 'plant.mjs');
    put(
      planted,
      `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'; const real = fs.statfsSync;
      fs.statfsSync = (path) => { setImmediate(() => { throw new TypeError('planted'); }); return real(path); }; syncBuiltinESMExports();`,
    );
    const result = await modelCache(['init', ...SERVER], {
      env: { ...env, NODE_OPTIONS: `--import ${planted}` },
    });
    assertServed(result, dir);
    assert.match(linesAt('WARN', result).join('\n'), /planted/);
  });

  test('a dir that the kernel never makes, and no temporary one: it neither hangs nor goes deaf', async (context) => {
    const { env } = await filledBucket(context, minio);
    const nowhere = { ...env, MODEL_CACHE_DIR: '/proc/model-cache', TMPDIR: '/proc/nowhere' };
    const result = await modelCache(['init', '--report', '/proc/model-cache/r.json', ...SERVER], {
      env: nowhere,
    });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /^served from \/proc\/model-cache /);
  });

  test('MODEL_CACHE_DRY_RUN that was left in the environment does not keep the server from starting', async (context) => {
    const { dir, env } = await filledBucket(context, minio);
    const result = await modelCache(['init', ...SERVER], { env: { ...env, MODEL_CACHE_DRY_RUN: '1' } });
    assertServed(result, dir);
    assert.match(linesAt('WARN', result).join('\n'), /MODEL_CACHE_DRY_RUN is not heeded/);
    assert.match(result.stderr, /S3 model sync completed/);
  });

  test('a link that stands where our own files go is replaced, not followed; a report goes to a device as it is', async (context) => {
    const { dir, env, scratch } = await filledBucket(context, minio);
    const victim = join(scratch, 'victim');
    put(victim, 'mine');
    mkdirSync(join(dir, '.model-cache'), { recursive: true });
    for (const name of ['env', 'report.json', 'state.json'])
      symlinkSync(victim, join(dir, '.model-cache', name));
    const result = await modelCache(['init', '--report', '/dev/null', ...SERVER], { env });
    assertServed(result, dir);
    assert.equal(readFileSync(victim, 'utf8'), 'mine');
    assert.ok(lstatSync('/dev/null').isCharacterDevice());
  });

  test('no dir of the settings can be used: a temporary one is', async (context) => {
    const { env, scratch } = await filledBucket(context, minio);
    writeFileSync(join(scratch, 'file'), '');
    const temporary = join(scratch, 'tmp');
    mkdirSync(temporary);
    const variables = { ...env, MODEL_CACHE_DIR: join(scratch, 'file', 'models'), TMPDIR: temporary };
    const result = await modelCache(['init', ...SERVER], {
      env: variables,
    });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, new RegExp(`^served from ${temporary}/model-cache-`));
    // A shell beside the server, with the same variables.
    const shell = await modelCache(['env'], { env: variables });
    assert.match(shell.stdout, new RegExp(`^export HF_HOME=${temporary}/model-cache-`));
    assert.match(result.stderr, /S3 model sync completed/);
  });

  test('a store that accepts and says nothing is given up after --stall', async (context) => {
    const dir = join(await scratchDir(context), 'models');
    const silent = await startSilentServer();
    const store = minio.env('any');
    const result = await modelCache(['init', '--stall', '1s', ...SERVER], {
      env: { ...store, AWS_ENDPOINT_URL: silent.endpoint, MODEL_CACHE_DIR: dir },
    });
    await silent.stop();
    assertServed(result, dir);
    assert.match(linesAt('WARN', result).join('\n'), /nothing came from the store for 1 s \(--stall\)/);
  });

  test('--timeout bounds the whole restore, counted from the start', async (context) => {
    const dir = join(await scratchDir(context), 'models');
    const silent = await startSilentServer();
    const result = await modelCache(['init', '--timeout', '1', ...SERVER], {
      env: { ...minio.env('any'), AWS_ENDPOINT_URL: silent.endpoint, MODEL_CACHE_DIR: dir },
    });
    await silent.stop();
    assertServed(result, dir);
    assert.match(linesAt('WARN', result).join('\n'), /not done after 1 s \(--timeout\)/);
  });

  test('the time that --setup takes is not taken from the restore', async (context) => {
    const { dir, env } = await filledBucket(context, minio);
    const args = ['init', '--setup', 'sleep 3', '--timeout', '3s', ...SERVER];
    const result = await modelCache(args, { env });
    assertServed(result, dir);
    assert.match(result.stderr, /S3 model sync completed/);
  });

  test('MODEL_CACHE_ENABLED=false turns the store off, never the exports, and is no WARN', async (context) => {
    const { dir, env } = await filledBucket(context, minio);
    for (const off of ['MODEL_CACHE_ENABLED', 'ENABLE_S3_MODEL_CACHE']) {
      const result = await modelCache(['init', ...SERVER], { env: { ...env, [off]: 'false' } });
      assertServed(result, dir);
      assert.deepEqual(linesAt('WARN', result), []);
      assert.equal(existsSync(join(dir, 'hub')), false);
    }
  });

  test('an init container exits 0 with a dead store', async (context) => {
    const dir = join(await scratchDir(context), 'models');
    const env = { ...minio.env('any'), AWS_ENDPOINT_URL: 'http://127.0.0.1:1', MODEL_CACHE_DIR: dir };
    const result = await modelCache(['init'], { env });
    assert.equal(result.code, 0);
    assert.match(result.stdout, /^export HF_HOME=/);
  });

  test('--strict lets a failed restore stop the start, with 125', async (context) => {
    const scratch = await scratchDir(context);
    const empty = { ...minio.env(await minio.createBucket()), MODEL_CACHE_DIR: join(scratch, 'models') };
    const { env } = await filledBucket(context, minio);
    const dead = { ...empty, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' };
    const cases = [
      { env: empty, args: [] },
      { env: dead, args: [] },
      { env, args: ['--model', 'org/other'] },
    ];
    for (const { env: variables, args } of cases) {
      const result = await modelCache(['init', '--strict', ...args, ...SERVER], { env: variables });
      assert.equal(result.code, 125, result.stderr);
      assert.match(result.stderr, /ERROR: The server is not started: --strict, and [a-z-]+; drop --strict/);
      assert.doesNotMatch(result.stderr, /will download/);
      assert.equal(result.stdout, '');
    }
    assert.equal(
      (await modelCache(['init', '--strict', '--model', 'org/model', ...SERVER], { env })).code,
      0,
    );
  });

  test('the report says in a stable code what the log says in words', async (context) => {
    const scratch = await scratchDir(context);
    const report = join(scratch, 'report.json');
    await modelCache(['init', '--report', report, ...SERVER], {
      env: { MODEL_CACHE_DIR: join(scratch, 'models') },
    });
    const { code, restore } = JSON.parse(readFileSync(report, 'utf8')) as {
      code: string;
      restore: { status: string };
    };
    assert.equal(code, 'store-not-configured');
    assert.equal(restore.status, 'failed');
  });
});

function assertServed(result: Finished, dir: string): void {
  assert.equal(result.code, 0, result.stderr);
  const hub = join(dir, 'hub');
  assert.equal(result.stdout, `served from ${dir} ${hub} ${hub} ${hub} ${join(dir, 'torch')}\n`);
}

/** A bucket with one model, and a dir without it. */
async function filledBucket(
  context: Parameters<typeof scratchDir>[0],
  minio: Minio,
): Promise<{ readonly dir: string; readonly scratch: string; readonly env: Record<string, string> }> {
  const scratch = await scratchDir(context);
  const source = join(scratch, 'source');
  const dir = join(scratch, 'models');
  const env = minio.env(await minio.createBucket());
  makeRepo(join(source, 'hub'), 'org/model', COMMIT, {
    'model.bin': { content: Buffer.alloc(100_000, 'w') },
  });
  const uploaded = await modelCache(['upload', '--dir', source], { env });
  assert.equal(uploaded.code, 0, uploaded.stderr);
  return { dir, scratch, env: { ...env, MODEL_CACHE_DIR: dir } };
}

async function startSilentServer(): Promise<{ readonly endpoint: string; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
