import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { CacheDir, COMMIT, contentsOf, sha256 } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';

for (const path of [
  'token',
  'stored_tokens',
  '.env',
  '.netrc',
  'xet/https___cas-x/staging/f',
  'modules/transformers_modules/x.py',
  'gradio/frpc/frpc_linux',
  'accelerate/default_config.yaml',
  'datasets/squad/data.arrow',
  'assets/x',
  '.locks/models--org--name/x.lock',
  'hub/.locks/models--org--name/x.lock',
  'hub/CACHEDIR.TAG',
  'version.txt',
  '.model-cache/state.json',
  '.model-cache/partial/x',
]) {
  test(`${path} is in no tree`, async () => {
    const dir = new CacheDir(scratch.path);
    dir.repo();
    const before = contentsOf(await dir.scan());
    dir.file(path, 'secret');
    assert.deepEqual(contentsOf(await dir.scan()), before);
  });
}

for (const folder of ['xet', 'modules', '.locks', '.model-cache', 'gradio', 'hub/.locks']) {
  test(`a repo inside ${folder} is none`, async () => {
    const dir = new CacheDir(scratch.path);
    dir.repo(`${folder}/models--org--name`);
    assert.deepEqual((await dir.scan()).trees, []);
  });
}

test('secrets are in no --also folder and no snapshot, whatever their depth', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  const before = contentsOf(await dir.scan())[REPO];
  for (const name of ['token', '.env', '.env.local', 'id_rsa', '.netrc', 'cert.pem', 'server.key']) {
    dir.file(`ckpts/${name}`, 'secret');
    dir.file(`ckpts/deep/${name}`, 'secret');
    dir.file(`${REPO}/snapshots/${COMMIT}/${name}`, 'secret');
  }
  dir.file('ckpts/model.onnx', 'x');
  assert.deepEqual(contentsOf(await dir.scan({ also: ['ckpts'] })), {
    [REPO]: before,
    ckpts: ['model.onnx'],
  });
});

test('a planted blob that leads out of the dir is not taken', async () => {
  const dir = new CacheDir(scratch.path);
  const outside = new CacheDir(scratch.path);
  dir.repo();
  const before = contentsOf(await dir.scan());
  outside.file('secret', 'secret');
  dir.link(`${REPO}/blobs/${sha256('secret')}`, outside.at('secret'));
  dir.link(`${REPO}/blobs/${sha256('passwd')}`, '/etc/passwd');
  dir.link(`${REPO}/blobs/${sha256('device')}`, '/dev/zero');
  dir.link(`${REPO}/blobs/${sha256('loop')}`, sha256('loop'));
  dir.link(`${REPO}/blobs/${sha256('dangling')}`, 'nothing');
  assert.deepEqual(contentsOf(await dir.scan()), before);
});

test('a shared store that is a link makes nothing that lies there a blob', async () => {
  const dir = new CacheDir(scratch.path);
  const outside = new CacheDir(scratch.path);
  dir.repo();
  const before = contentsOf(await dir.scan());
  outside.file('secret', 'secret');
  dir.link('hub/blobs', outside.path);
  dir.link(`${REPO}/blobs/${sha256('secret')}`, '../../blobs/secret');
  assert.deepEqual(contentsOf(await dir.scan()), before);
});

test('pipes and devices are neither taken nor waited for', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  const before = contentsOf(await dir.scan());
  for (const path of ['blobs/' + sha256('pipe'), `snapshots/${COMMIT}/pipe`, 'refs/pipe'])
    assert.equal(spawnSync('mkfifo', [dir.at(`${REPO}/${path}`)]).status, 0);
  dir.link(`${REPO}/refs/device`, '/dev/zero');
  assert.deepEqual(contentsOf(await dir.scan()), before);
});

test('a planted blob that leads to the token of the dir is not taken', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  const before = contentsOf(await dir.scan());
  dir.file('token', 'hf_secret');
  dir.link(`${REPO}/blobs/${sha256('hf_secret')}`, '../../../token');
  assert.deepEqual(contentsOf(await dir.scan()), before);
});

test('a planted folder is not walked into', async () => {
  const dir = new CacheDir(scratch.path);
  const outside = new CacheDir(scratch.path);
  outside.repo('models--org--other');
  dir.link('hub/models--org--other', outside.at('models--org--other'));
  dir.link('elsewhere', outside.path);
  dir.link('ckpts', outside.path);
  dir.link('tools/planted', outside.path);
  const inventory = await dir.scan({ also: ['ckpts', 'tools'] });
  assert.deepEqual(
    inventory.trees.map(({ files }) => files.size),
    inventory.trees.map(() => 0),
  );
});

test('links in snapshots that leave the repo lead nowhere', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  for (const [name, target] of [
    ['a', '/etc/passwd'],
    ['b', '../../../../../../etc/passwd'],
    ['c', '../../../../token'],
  ] as const)
    dir.link(`${REPO}/snapshots/${COMMIT}/${name}`, target);
  const links = (await dir.scan()).trees[0]?.links;
  for (const name of ['a', 'b', 'c'])
    assert.equal(links?.get(`snapshots/${COMMIT}/${name}`)?.to, undefined, name);
});

test('a blob may lead into a read-only cache that is reused, and into no other', async () => {
  const other = new CacheDir(scratch.path);
  const { weights } = other.repo('models--org--name');
  const dir = new CacheDir(scratch.path);
  dir.link(`${REPO}/blobs/${weights}`, other.at(`models--org--name/blobs/${weights}`));
  const reused = await dir.scan({ reuse: [other.path] });
  assert.deepEqual(contentsOf(reused), { [REPO]: [`blobs/${weights}`] });
  assert.deepEqual(contentsOf(await dir.scan()), { [REPO]: [] });
});

test('the folder of the store is not looked into, wherever it lies', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  const before = contentsOf(await dir.scan());
  dir.repo('volume/store/hub/models--org--name');
  dir.file('engines/store/x', 'x');
  assert.deepEqual(contentsOf(await dir.scan({ store: dir.at('volume/store') })), before);
  const scanned = await dir.scan({ also: ['engines'], store: dir.at('engines/store') });
  assert.deepEqual(contentsOf(scanned)['engines'], []);
});

test('nor is a folder that is another store', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  const before = contentsOf(await dir.scan());
  dir.repo('old/hub/models--org--name');
  dir.file('old/.model-cache/v1/format.json', '{}');
  const { trees, foreign } = await dir.scan();
  assert.deepEqual(contentsOf({ dir: '', trees, skipped: [], foreign: [], stores: [] }), before);
  assert.deepEqual(foreign, []);
});

test('which folders are stores is said, also of one that is not there yet', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  dir.file('old/.model-cache/v1/format.json', '{}');
  dir.file('.model-cache/v1/format.json', '{}');
  dir.file('none/.model-cache/state.json', '{}');
  const storesWith = async (store?: string): Promise<readonly string[]> => (await dir.scan({ store })).stores;
  assert.deepEqual(await storesWith(), ['old']);
  assert.deepEqual(await storesWith(dir.at('volume/store')), ['volume/store', 'old']);
  assert.deepEqual(await storesWith(dir.at('old')), ['old']);
  assert.deepEqual(await storesWith(`${dir.path}-2/store`), ['old']);
});

test('what is no model cache is counted by the name that a person would look for', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo();
  dir.file('engines/a/one.plan', '12345');
  dir.file('engines/two.plan', '678');
  dir.file('notes.txt', 'x');
  dir.file('hub/version.txt', '1');
  const { foreign } = await dir.scan();
  assert.deepEqual(
    foreign.toSorted((a, b) => a.path.localeCompare(b.path)),
    [
      { path: 'engines', files: 2, bytes: 8 },
      { path: 'notes.txt', files: 1, bytes: 1 },
    ],
  );
});

test('nobody is told to mirror a token', async () => {
  const dir = new CacheDir(scratch.path);
  dir.file('token', 'hf_secret');
  dir.file('stored_tokens', 'hf_secret');
  assert.deepEqual((await dir.scan()).foreign, []);
});

test('--also makes a folder a tree, and it is foreign no more', async () => {
  const dir = new CacheDir(scratch.path);
  dir.file('engines/f5/a.plan', '12345');
  dir.link('engines/f5/latest', 'a.plan');
  const inventory = await dir.scan({ also: ['engines/f5'] });
  assert.deepEqual(contentsOf(inventory), { 'engines/f5': ['a.plan', 'latest'] });
  assert.deepEqual(inventory.foreign, []);
});
