import assert from 'node:assert/strict';
import { mkdtemp, realpath, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Hub, sha256, startHub } from './hub.ts';
import { download, HUB_LIBRARIES, loadOffline, type pythonWith, runPython, scanCache } from './python.ts';

const COMMIT = 'c2'.repeat(20);
const WEIGHTS = Buffer.alloc(10_000, 'weights');
const FILES = ['org/model:config.yaml', 'org/model:sub/model.safetensors', `org/model:config.yaml@${COMMIT}`];

let hub: Hub;
let root: string;
before(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'python-test-')));
  hub = await startHub();
  hub.addCommit('org/model', COMMIT, {
    'config.yaml': { content: Buffer.from('a: 1\n') },
    'sub/model.safetensors': { content: WEIGHTS, lfs: true },
  });
});
after(async () => {
  await hub.stop();
  await rm(root, { recursive: true, force: true });
});

for (const library of HUB_LIBRARIES) {
  test(`${library}: what it downloads it loads offline, and calls sound`, async () => {
    const env = { HF_HUB_CACHE: join(root, library) };
    await download(library, FILES, { ...env, HF_ENDPOINT: hub.endpoint });
    hub.requests.length = 0;
    const loaded = await loadOffline(library, FILES, { ...env, HF_ENDPOINT: hub.endpoint });
    const path = join(env.HF_HUB_CACHE, 'models--org--model/snapshots', COMMIT, 'sub/model.safetensors');
    assert.deepEqual(loaded[1], {
      repo: 'org/model',
      file: 'sub/model.safetensors',
      path,
      realpath: join(env.HF_HUB_CACHE, 'models--org--model/blobs', sha256(WEIGHTS)),
      sha256: sha256(WEIGHTS),
      size: WEIGHTS.length,
      cachedPath: library === 'hub-2' ? null : path,
    });
    assert.equal(loaded.length, FILES.length);
    assert.deepEqual(hub.requests, []);
    assert.deepEqual(await scanCache(library, env), {
      warnings: [],
      repos: [
        {
          repo: 'org/model',
          sizeOnDisk: 5 + WEIGHTS.length,
          revisions: [{ commit: COMMIT, refs: ['main'], files: ['config.yaml', 'sub/model.safetensors'] }],
        },
      ],
    });
  });
}

test('a file that is not in the cache fails the load, a broken link is a warning of the scan', async () => {
  const env = { HF_HUB_CACHE: join(root, 'broken') };
  await download('hub-2', FILES, { ...env, HF_ENDPOINT: hub.endpoint });
  await unlink(join(env.HF_HUB_CACHE, 'models--org--model/blobs', sha256(WEIGHTS)));
  await assert.rejects(loadOffline('hub-2', FILES, env), /load\.py .*exit 1.*LocalEntryNotFoundError/s);
  assert.match((await scanCache('hub-2', env)).warnings.join(), /broken symlink/);
});

test('load refuses to run online', async () => {
  const { code, stderr } = await runPython('hub-2', 'load.py', FILES);
  assert.equal(code, 1);
  assert.match(stderr, /HF_HUB_OFFLINE=1/);
});

test('a script can be killed', async () => {
  const stop = new AbortController();
  hub.throttle(1_000);
  const env = { HF_HUB_CACHE: join(root, 'killed'), HF_ENDPOINT: hub.endpoint };
  const running = runPython('hub-2', 'download.py', FILES, { env, signal: stop.signal });
  const sent = hub.bytesSent;
  while (hub.bytesSent === sent) await new Promise((done) => setTimeout(done, 20));
  stop.abort();
  assert.equal((await running).code, null);
  hub.throttle(undefined);
});

test('without python3, or without venv, the error says how to get it', async () => {
  const path = process.env['PATH'];
  const module = new URL('./python.ts', import.meta.url).href;
  const fresh = async (name: string) =>
    (await import(`${module}?${name}`)) as { pythonWith: typeof pythonWith };
  try {
    process.env['PATH'] = root;
    await assert.rejects((await fresh('none')).pythonWith('hub-2'), /found none.*python3-venv/s);
    await writeFile(join(root, 'python3'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    await assert.rejects((await fresh('bare')).pythonWith('hub-2'), /found one without it.*python3-venv/s);
    await writeFile(join(root, 'python3'), '#!/bin/sh\necho 3.9.2\n', { mode: 0o755 });
    await assert.rejects((await fresh('old')).pythonWith('hub-2'), /found 3\.9\.2.*newer/s);
  } finally {
    process.env['PATH'] = path;
  }
});
