import assert from 'node:assert/strict';
import { lstat, mkdtemp, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { gitBlobSha1, sha256, startHub } from './hub.ts';
import { download, HUB_LIBRARIES, loadOffline, scanCache } from './python.ts';
import { toSharedStore } from './shared-store.ts';

const WEIGHTS = Buffer.alloc(10_000, 'weights');
const CONFIG = Buffer.from('a: 1\n');
const REPO = 'models--org--model';
const FILES = ['org/model:config.yaml', 'org/model:sub/model.safetensors'];

let cache: string;
let stored: Map<string, string>;
before(async () => {
  cache = await realpath(await mkdtemp(join(tmpdir(), 'shared-store-')));
  const hub = await startHub();
  hub.addCommit('org/model', 'c3'.repeat(20), {
    'config.yaml': { content: CONFIG },
    'sub/model.safetensors': { content: WEIGHTS, lfs: true },
  });
  await download('hub-1', FILES, { HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint });
  await hub.stop();
  stored = await toSharedStore(cache, REPO);
});
after(() => rm(cache, { recursive: true, force: true }));

test('LFS blobs become links into the store, under another name; small files stay', async () => {
  assert.deepEqual([...stored.keys()], [sha256(WEIGHTS)]);
  const target = stored.get(sha256(WEIGHTS)) ?? '';
  const name = basename(target);
  assert.notEqual(name, sha256(WEIGHTS));
  assert.equal(relative(cache, target), join('blobs', name.slice(0, 2), name));
  const blobs = join(cache, REPO, 'blobs');
  assert.equal(await readlink(join(blobs, sha256(WEIGHTS))), `../../blobs/${name.slice(0, 2)}/${name}`);
  assert.ok((await lstat(join(blobs, gitBlobSha1(CONFIG)))).isFile());
  assert.deepEqual(await readFile(target), WEIGHTS);
  assert.equal((await lstat(target)).mode & 0o222, 0);
});

test('the store has its marker, and a list and a lock beside the content', async () => {
  const target = stored.get(sha256(WEIGHTS)) ?? '';
  assert.equal(await readFile(join(cache, 'blobs', '.huggingface-shared-blobs'), 'utf8'), '1\n');
  assert.equal(await readFile(`${target}.refs`, 'utf8'), `${REPO}/blobs/${sha256(WEIGHTS)}\n`);
  assert.ok((await lstat(`${target}.lock`)).isFile());
  assert.equal(dirname(dirname(target)), join(cache, 'blobs'));
});

for (const library of HUB_LIBRARIES) {
  test(`${library} loads from the store offline`, async () => {
    const env = { HF_HUB_CACHE: cache };
    const loaded = await loadOffline(library, FILES, env);
    assert.equal(loaded[1]?.sha256, sha256(WEIGHTS));
    assert.equal(loaded[1]?.realpath, stored.get(sha256(WEIGHTS)));
    assert.deepEqual((await scanCache(library, env)).repos[0]?.revisions[0]?.files, [
      'config.yaml',
      'sub/model.safetensors',
    ]);
  });
}
