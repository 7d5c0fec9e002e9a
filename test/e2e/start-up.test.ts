import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { startMinio } from '../support/minio.ts';
import { oldestNode } from '../support/oldest-node.ts';
import {
  environmentFor,
  finished,
  modelCache,
  PROGRAM,
  scratchDir,
  type Finished,
} from '../support/program.ts';
import { makeRepo } from '../support/tree.ts';

const SUPPORT = join(import.meta.dirname, '..', 'support');
const PROBE = join(SUPPORT, 'what-is-loaded.cjs');

interface Loaded {
  /** Chunks of the program, without their hashes. */
  readonly chunks: readonly string[];
  readonly builtins: ReadonlySet<string>;
}

async function load(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished & Loaded> {
  const run = await finished(
    spawn(process.execPath, ['--require', PROBE, PROGRAM, ...args], { env: environmentFor(env) }),
  );
  assert.equal(run.code, 0, run.stderr);
  const { files, builtins } = JSON.parse(/^loaded (.*)$/m.exec(run.stderr)?.[1] ?? '') as {
    files: readonly string[];
    builtins: readonly string[];
  };
  const chunks = files
    .filter((file) => file !== PROGRAM)
    .map((file) => basename(file, '.cjs').replace(/-[\w-]{8}$/, ''))
    .toSorted();
  return { ...run, chunks, builtins: new Set(builtins) };
}

/** Each takes Node milliseconds, and some of them threads. */
const NOT_FOR_A_WARM_START = ['https', 'tls', 'worker_threads', 'internal/deps/undici/undici'];

test('--version loads the first chunk, and nothing of what commands need', async () => {
  const { stdout, chunks, builtins } = await load(['--version']);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  assert.deepEqual(chunks, ['main', 'rolldown-runtime']);
  for (const name of [...NOT_FOR_A_WARM_START, 'crypto', 'http', 'v8']) assert.ok(!builtins.has(name), name);
});

test('a start that finds everything loads neither the SDK nor pino, and starts no thread', async (context) => {
  const minio = await startMinio();
  context.after(() => minio.stop());
  const dir = join(await scratchDir(context), 'models');
  const env = { ...minio.env(await minio.createBucket()), MODEL_CACHE_DIR: dir };
  makeRepo(join(dir, 'hub'), 'org/model', 'c1'.repeat(20), {
    'model.bin': { content: Buffer.alloc(3_000_000, 'w') },
    'config.json': { content: Buffer.from('{}') },
  });
  const upload = await modelCache(['upload'], { env });
  assert.equal(upload.code, 0, upload.stderr);
  const { stderr, chunks, builtins } = await load(['init', '--model', 'org/model'], env);
  assert.match(stderr, /nothing to fetch, 2 files here already/);
  assert.deepEqual(chunks, ['main', 'rolldown-runtime', 'start']);
  for (const name of NOT_FOR_A_WARM_START) assert.ok(!builtins.has(name), name);
});

test("threads take Node's own modules as Node has compiled them", (context) =>
  takeWhatIsCompiled(context, process.execPath, []));

test('and so they do under the oldest Node of the promise', async (context) => {
  const node = await oldestNode();
  if (node === undefined) return context.skip('there is no such Node in the registry for this platform');
  // Loaded when a thread has begun, by Node 22 only.
  await takeWhatIsCompiled(context, node, ['internal/util/colors']);
});

async function takeWhatIsCompiled(
  context: TestContext,
  node: string,
  later: readonly string[],
): Promise<void> {
  const minio = await startMinio();
  context.after(() => minio.stop());
  const scratch = await scratchDir(context);
  const env = { ...minio.env(await minio.createBucket()), MODEL_CACHE_WRITE_BACK: 'off' };
  makeRepo(join(scratch, 'full', 'hub'), 'org/model', 'c1'.repeat(20), {
    'model.bin': { content: Buffer.alloc(20_000_000, 'w') },
  });
  const upload = await modelCache(['upload'], { env: { ...env, MODEL_CACHE_DIR: join(scratch, 'full') } });
  assert.equal(upload.code, 0, upload.stderr);
  const observed = ['--expose-internals', '--require', join(SUPPORT, 'compiled-anew.cjs'), PROGRAM, 'init'];
  const cold = environmentFor({ ...env, MODEL_CACHE_DIR: join(scratch, 'empty') });
  const { code, stderr } = await finished(spawn(node, observed, { env: cold }));
  assert.equal(code, 0, stderr);
  const threads = Array.from(
    stderr.matchAll(/^thread (.*)$/gm),
    ([, told = '']) => JSON.parse(told) as { readonly taken: number; readonly anew: readonly string[] },
  );
  assert.equal(threads.length, 2, 'one receives, one hashes');
  for (const { taken, anew } of threads) {
    assert.deepEqual(
      anew.filter((name) => !later.includes(name)),
      [],
    );
    assert.ok(taken > 50);
  }
}
