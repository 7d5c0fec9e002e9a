import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { installOnce, runInstallStep, toolCacheDir } from './tool-cache.ts';

const before = { ...process.env };
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tool-cache-'));
  process.env['MODEL_CACHE_TEST_TOOLS'] = root;
});

afterEach(async () => {
  process.env = { ...before };
  await rm(root, { recursive: true, force: true });
});

test('the cache is where the variables say, else in the home', () => {
  assert.equal(toolCacheDir(), root);
  delete process.env['MODEL_CACHE_TEST_TOOLS'];
  process.env['XDG_CACHE_HOME'] = '/caches';
  assert.equal(toolCacheDir(), '/caches/model-cache-test-tools');
  delete process.env['XDG_CACHE_HOME'];
  assert.equal(toolCacheDir(), join(homedir(), '.cache', 'model-cache-test-tools'));
});

test('processes that want the same tool at once install it once', async () => {
  const caller = `
    const { installOnce } = await import(${JSON.stringify(new URL('./tool-cache.ts', import.meta.url).href)});
    const { appendFile } = await import('node:fs/promises');
    console.log(await installOnce('tool', async (dir) => {
      await appendFile(${JSON.stringify(join(root, 'installations'))}, 'x');
      await new Promise((done) => setTimeout(done, 300));
      await appendFile(dir + '/program', 'whole');
    }));`;
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', caller]);
  const results = await Promise.all([run(), run(), run()]);
  for (const { stdout } of results) assert.equal(stdout.trim(), join(root, 'tool'));
  assert.equal(await readFile(join(root, 'installations'), 'utf8'), 'x');
  assert.equal(await readFile(join(root, 'tool', 'program'), 'utf8'), 'whole');
  assert.deepEqual((await readdir(root)).toSorted(), ['installations', 'tool']);
});

test('an installation that fails leaves nothing, and the next call tries again', async () => {
  await assert.rejects(
    installOnce('tool', async (dir) => {
      await writeFile(join(dir, 'half'), '');
      throw new Error('no network');
    }),
    /no network/,
  );
  assert.deepEqual(await readdir(root), []);
  await installOnce('tool', (dir) => writeFile(join(dir, 'program'), ''));
  assert.deepEqual(await readdir(join(root, 'tool')), ['program']);
});

test('a lock whose holder was killed is taken over', async () => {
  const minuteAgo = new Date(Date.now() - 60_000);
  await writeFile(join(root, 'tool.lock'), '');
  await utimes(join(root, 'tool.lock'), minuteAgo, minuteAgo);
  await installOnce('tool', async () => {});
  assert.deepEqual(await readdir(root), ['tool']);
});

test('a step that fails says the command and its output', async () => {
  await assert.rejects(runInstallStep('sh', ['-c', 'echo why it failed >&2; exit 3']), (error: Error) => {
    assert.match(error.message, /`sh -c .*exit 3/s);
    assert.match(error.message, /why it failed/);
    return true;
  });
});
