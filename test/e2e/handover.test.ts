import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startMinio, type Minio } from '../support/minio.ts';
import {
  environmentFor,
  finished,
  linesAt,
  modelCache,
  PROGRAM,
  scratchDir,
  startModelCache,
} from '../support/program.ts';
import { makeRepo, put } from '../support/tree.ts';

const EXPORTED = ['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'TRANSFORMERS_CACHE', 'TORCH_HOME'];

/** Prints what a server can see of itself, as JSON. */
const SERVER = `
import json, os, sys
mask = os.umask(0)
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({
  "pid": os.getpid(), "argv": sys.argv[1:], "cwd": os.getcwd(), "umask": mask, "stdin": sys.stdin.read(),
  "nonblocking": [fd for fd in (0, 1, 2) if not os.get_blocking(fd)],
  "blocked": status["SigBlk"],
}))
`;

describe('init becomes the server', () => {
  let minio: Minio;
  let store: Record<string, string>;
  before(async () => {
    minio = await startMinio();
    store = minio.env(await minio.createBucket());
  });
  after(() => minio.stop());

  test('with the same PID, its arguments, cwd, umask and stdin, and streams as they were', async (context) => {
    const { dir, cwd } = await filled(context, store);
    const args = ['--port', '80 80', '', '-x', '--', 'a=b', '$HOME', 'grüße'];
    const child = spawn(
      'sh',
      [
        '-c',
        'umask 027; exec "$@"',
        'sh',
        process.execPath,
        PROGRAM,
        'init',
        '--',
        'python3',
        '-c',
        SERVER,
        ...args,
      ],
      {
        cwd,
        env: environmentFor({ ...store, MODEL_CACHE_DIR: dir, ODD: 'a\nb=c', LC_ALL: 'C.UTF-8' }),
        stdio: 'pipe',
      },
    );
    const pid = child.pid;
    const result = await finished(child, 'hello server');
    assert.equal(result.code, 0, result.stderr);
    const seen = JSON.parse(result.stdout) as Record<string, unknown>;
    assert.equal(seen['pid'], pid);
    assert.deepEqual(seen['argv'], args);
    assert.equal(seen['cwd'], realpathSync(cwd));
    assert.equal(seen['umask'], 0o027);
    assert.equal(seen['stdin'], 'hello server');
    assert.deepEqual(seen['nonblocking'], []);
    assert.match(String(seen['blocked']), /^0+$/);
  });

  test('with exactly the environment that init had, and the five variables', async (context) => {
    const { dir } = await filled(context, store);
    const given = environmentFor({ ...store, MODEL_CACHE_DIR: dir, ODD: 'a\nb=c', EMPTY: '' });
    const { stdout, stderr } = await modelCache(['init', '--', 'env', '-0'], { env: given });
    const seen = Object.fromEntries(
      stdout
        .split('\0')
        .filter((entry) => entry !== '')
        .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    );
    const hub = join(dir, 'hub');
    const [hfHome, torchHome] = [dir, join(dir, 'torch')];
    const values = [hfHome, hub, hub, hub, torchHome];
    const exported = Object.fromEntries(EXPORTED.map((name, index) => [name, values[index]]));
    assert.deepEqual(seen, { ...given, ...exported }, stderr);
  });

  test('a shell as the server gets SIGPIPE and SIGXFSZ as every program expects them', async (context) => {
    const { dir, cwd } = await filled(context, store);
    const script = join(cwd, 'no-interpreter-named');
    put(script, 'grep SigIgn /proc/self/status\n');
    chmodSync(script, 0o755);
    for (const server of [
      ['sh', '-c', 'grep SigIgn /proc/self/status'],
      ['/bin/sh', '-c', 'grep SigIgn /proc/self/status'],
      [script],
    ]) {
      const result = await modelCache(['init', '--', ...server], { env: { ...store, MODEL_CACHE_DIR: dir } });
      assert.match(result.stdout, /SigIgn:\s+0+$/m, server.join(' '));
    }
  });

  test("the exit code is the server's own, and a signal to the PID is the server's", async (context) => {
    const { dir } = await filled(context, store);
    const env = { ...store, MODEL_CACHE_DIR: dir };
    assert.equal((await modelCache(['init', '--', 'sh', '-c', 'exit 42'], { env })).code, 42);
    const child = startModelCache(['init', '--', 'sh', '-c', 'echo up; exec sleep 60'], { env });
    await once(child.stdout ?? child, 'data');
    child.kill('SIGTERM');
    assert.equal((await finished(child)).signal, 'SIGTERM');
  });

  test('a server that is not there is 127, one that cannot be executed is 126', async (context) => {
    const { dir, cwd } = await filled(context, store);
    const env = { ...store, MODEL_CACHE_DIR: dir };
    put(join(cwd, 'data.txt'), 'no program');
    const missing = await modelCache(['init', '--', 'no-such-server'], { env, cwd });
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /there is no program no-such-server/);
    assert.equal((await modelCache(['init', '--', './data.txt'], { env, cwd })).code, 126);
  });

  test('--setup runs first, its output is in the log, and its failure is only a WARN', async (context) => {
    const { dir, cwd } = await filled(context, store);
    const setup = 'echo installing; touch first\necho broken >&2; exit 3\nsleep 60';
    const result = await modelCache(
      ['init', '--setup-timeout', '1s', '--', 'sh', '-c', 'ls first; echo served'],
      {
        cwd,
        env: { ...store, MODEL_CACHE_DIR: dir, MODEL_CACHE_SETUP: setup },
      },
    );
    assert.equal(result.stdout, 'first\nserved\n');
    assert.match(result.stderr, /setup: installing/);
    assert.match(result.stderr, /setup: broken/);
    assert.match(linesAt('WARN', result).join('\n'), /exit 3: exit code 3[^]*sleep 60: not done after 1 s/);
  });

  test('without a server command it prints the exports, for a shell to evaluate', async (context) => {
    const { dir } = await filled(context, store);
    const result = await modelCache(['init'], { env: { ...store, MODEL_CACHE_DIR: dir } });
    assert.equal(result.code, 0);
    assert.equal(result.stdout, readFileSync(join(dir, '.model-cache/env'), 'utf8'));
    const shell = await finished(spawn('sh', ['-c', `${result.stdout}echo "$HF_HUB_CACHE"`]));
    assert.equal(shell.stdout, `${join(dir, 'hub')}\n`);
  });

  test('a SIGTERM at any of 50 moments of the start is never lost, and told', async (context) => {
    const { dir, cwd } = await filled(context, store);
    const report = join(cwd, 'report.json');
    const env = { ...store, MODEL_CACHE_DIR: dir, MODEL_CACHE_REPORT: report };
    const duration = await timeToServer(env);
    for (let moment = 0; moment < 50; moment += 1) {
      const child = startModelCache(['init', '--', 'sh', '-c', 'exec sleep 60'], { env });
      await sleep(Math.random() * duration * 1.1);
      child.kill('SIGTERM');
      const { code, signal, stderr } = await finished(child);
      assert.ok(code === 143 || signal === 'SIGTERM', `moment ${moment}: code ${code}, signal ${signal}`);
      if (code !== 143) continue;
      assert.match(stderr, /stopped by SIGTERM/);
      assert.equal((JSON.parse(readFileSync(report, 'utf8')) as { code: string }).code, 'interrupted');
    }
  });

  test('a SIGTERM while bytes move ends the restore at once, and leaves nothing partial', async (context) => {
    const { dir } = await filled(context, store);
    const child = startModelCache(['init', '--setup', 'sleep 30', '--', 'sh', '-c', 'echo started'], {
      env: { ...store, MODEL_CACHE_DIR: dir },
    });
    await once(child.stderr ?? child, 'data');
    child.kill('SIGTERM');
    const result = await finished(child);
    assert.equal(result.code, 143);
    assert.equal(result.stdout, '');
  });
});

async function timeToServer(env: Record<string, string>): Promise<number> {
  const start = performance.now();
  await modelCache(['init', '--', 'true'], { env });
  return performance.now() - start;
}

/** A dir whose model is in the bucket and on disk, and a folder to work in. */
async function filled(
  context: Parameters<typeof scratchDir>[0],
  store: Record<string, string>,
): Promise<{ readonly dir: string; readonly cwd: string }> {
  const scratch = await scratchDir(context);
  const dir = join(scratch, 'models');
  const cwd = join(scratch, 'work dir');
  mkdirSync(cwd, { recursive: true });
  makeRepo(join(dir, 'hub'), 'org/model', 'c1'.repeat(20), {
    'config.json': { content: Buffer.from('{}'), lfs: false },
  });
  assert.equal((await modelCache(['upload'], { env: { ...store, MODEL_CACHE_DIR: dir } })).code, 0);
  assert.ok(existsSync(dir));
  return { dir, cwd };
}
