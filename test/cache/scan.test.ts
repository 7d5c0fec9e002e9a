import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { State } from '../../src/cache/state.ts';
import { localTree, type LocalTree } from '../../src/model/inventory.ts';
import { CacheDir, COMMIT, contentsOf, gitSha1, sha256 } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const REPO = 'hub/models--org--name';
const { weights: W, config: C } = { weights: sha256('weights'), config: gitSha1('config') };
const WHOLE = [
  `blobs/${W}`,
  `blobs/${C}`,
  'refs/main',
  `snapshots/${COMMIT}/config.yaml`,
  `snapshots/${COMMIT}/sub/model.bin`,
].toSorted();

test('an empty dir, or none, holds nothing', async () => {
  const dir = fresh();
  for (const inventory of [await dir.scan(), await fresh().scan()])
    assert.deepEqual([inventory.trees, inventory.foreign], [[], []]);
  rmSync(dir.path, { recursive: true });
  assert.deepEqual((await dir.scan()).trees, []);
});

test('a repo is its blobs, the links to them and its refs', async () => {
  const dir = fresh();
  dir.repo();
  const inventory = await dir.scan();
  assert.deepEqual(contentsOf(inventory), { [REPO]: WHOLE });
  const tree = treeOf(inventory.trees, REPO);
  assert.equal(tree.files.get(`blobs/${W}`)?.size, 7);
  assert.deepEqual(tree.links.get(`snapshots/${COMMIT}/sub/model.bin`), {
    path: `snapshots/${COMMIT}/sub/model.bin`,
    target: `../../../blobs/${W}`,
    to: `blobs/${W}`,
  });
});

for (const folder of [
  'hub/datasets--org--name',
  'hub/spaces--org--name',
  'hub/models--gpt2',
  'other/models--a--b',
]) {
  test(`${folder} is a repo by its shape`, async () => {
    const dir = fresh();
    dir.repo(folder);
    assert.deepEqual(Object.keys(contentsOf(await dir.scan())), [folder]);
  });
}

test('a repo directly below the dir is the tree that it would be under hub, and stays there', async () => {
  const dir = fresh();
  dir.repo('models--org--name');
  const { trees } = await dir.scan();
  assert.deepEqual(
    trees.map(({ tree, root }) => [tree, root]),
    [[REPO, 'models--org--name']],
  );
});

test('of a repo that is at both places, the one under hub counts', async () => {
  const dir = fresh();
  dir.repo();
  dir.repo('models--org--name');
  const { trees } = await dir.scan();
  assert.deepEqual(
    trees.map(({ tree, root }) => [tree, root]),
    [[REPO, REPO]],
  );
});

test('a folder that is only named like a repo is none', async () => {
  const dir = fresh();
  dir.file('hub/models--org--name/readme.txt', 'x');
  assert.deepEqual((await dir.scan()).trees, []);
});

test('a blob that is a link into the shared store is read through it, and the store itself is ignored', async () => {
  const dir = fresh();
  dir.file('hub/blobs/ab/0123xet', 'weights');
  dir.link(`${REPO}/blobs/${W}`, '../../blobs/ab/0123xet');
  dir.link(`${REPO}/snapshots/${COMMIT}/model.bin`, `../../blobs/${W}`);
  const inventory = await dir.scan();
  assert.deepEqual(Object.keys(contentsOf(inventory)), [REPO]);
  assert.equal(treeOf(inventory.trees, REPO).files.get(`blobs/${W}`)?.size, 7);
  assert.deepEqual(inventory.foreign, []);
});

test('regular files in a snapshot carry their own bytes', async () => {
  const dir = fresh();
  dir.file(`${REPO}/snapshots/${COMMIT}/model.bin`, 'weights');
  mkdirSync(dir.at(`${REPO}/blobs`));
  const tree = treeOf((await dir.scan()).trees, REPO);
  assert.equal(tree.files.get(`snapshots/${COMMIT}/model.bin`)?.size, 7);
});

test('an absolute link into the repo leads where a relative one would', async () => {
  const dir = fresh();
  dir.repo();
  dir.link(`${REPO}/snapshots/${COMMIT}/absolute.bin`, dir.at(`${REPO}/blobs/${W}`));
  const link = treeOf((await dir.scan()).trees, REPO).links.get(`snapshots/${COMMIT}/absolute.bin`);
  assert.equal(link?.to, `blobs/${W}`);
});

test('refs may be nested', async () => {
  const dir = fresh();
  dir.repo();
  dir.file(`${REPO}/refs/refs/pr/1`, COMMIT);
  const { refs } = treeOf((await dir.scan()).trees, REPO);
  assert.deepEqual(Object.fromEntries(refs), { 'refs/main': COMMIT, 'refs/refs/pr/1': COMMIT });
});

test('refs that name no commit are none', async () => {
  const dir = fresh();
  dir.repo();
  dir.file(`${REPO}/refs/empty`, '');
  dir.file(`${REPO}/refs/newline`, `${COMMIT}\n`);
  dir.file(`${REPO}/refs/words`, 'not a commit');
  dir.file(`${REPO}/refs/huge`, 'c'.repeat(5000));
  dir.file(`${REPO}/refs/main.0123abcd.tmp`, COMMIT);
  dir.link(`${REPO}/refs/planted`, '/etc/hostname');
  assert.deepEqual([...treeOf((await dir.scan()).trees, REPO).refs.keys()], ['refs/main']);
});

test('empty files are files', async () => {
  const dir = fresh();
  dir.file(`${REPO}/blobs/${gitSha1('')}`, '');
  dir.file('torch/hub/checkpoints/empty.pth', '');
  const inventory = await dir.scan();
  assert.equal(treeOf(inventory.trees, REPO).files.get(`blobs/${gitSha1('')}`)?.size, 0);
  assert.equal(treeOf(inventory.trees, 'torch/hub/checkpoints').files.get('empty.pth')?.size, 0);
});

test('unfinished names, and blobs that are not named by their content, are left', async () => {
  const dir = fresh();
  dir.repo();
  for (const name of [
    `${W}.0123abcd.incomplete`,
    `${W}.incomplete`,
    `${W}.lock`,
    'tmp_1234',
    'W/"etag"',
    'xyz',
  ])
    dir.file(`${REPO}/blobs/${name.replaceAll('/', '_')}`, 'x');
  dir.file(`${REPO}/.no_exist/${COMMIT}/nothing.json`);
  dir.file(`${REPO}/trees/${COMMIT}.json`, '{}');
  dir.file(`${REPO}/tmpd3p2ua2d/x`, 'x');
  dir.file(`${REPO}/snapshots/not-a-commit/x`, 'x');
  for (const name of ['m.pth.0a1b.partial', 'tmpd3p2ua2d', 'm.tmp', '.nfs0001'])
    dir.file(`torch/hub/checkpoints/${name}`, 'x');
  dir.file('torch/hub/checkpoints/whole.pth', 'x');
  assert.deepEqual(contentsOf(await dir.scan()), { [REPO]: WHOLE, 'torch/hub/checkpoints': ['whole.pth'] });
});

test('what was proved of a file is known again while it is the same', async () => {
  const dir = fresh();
  dir.repo();
  const { identity = '' } = treeOf((await dir.scan()).trees, REPO).files.get(`blobs/${W}`) ?? {};
  const state = State.empty();
  state.remember(`${REPO}/blobs/${W}`, identity, { sha256: W });
  const again = treeOf((await dir.scan({ state })).trees, REPO);
  assert.deepEqual(again.files.get(`blobs/${W}`)?.digests, { sha256: W });
  dir.file(`${REPO}/blobs/${W}`, 'WEIGHTS');
  const changed = treeOf((await dir.scan({ state })).trees, REPO);
  assert.equal(changed.files.get(`blobs/${W}`)?.digests, undefined);
});

test('whether a file is executable is known', async () => {
  const dir = fresh();
  dir.file('tools/run.sh', 'x');
  dir.file('tools/data', 'x');
  chmodSync(dir.at('tools/run.sh'), 0o755);
  const { files } = treeOf((await dir.scan({ also: ['tools'] })).trees, 'tools');
  assert.deepEqual([files.get('run.sh')?.executable, files.get('data')?.executable], [true, false]);
});

function fresh(): CacheDir {
  return new CacheDir(scratch.path);
}

function treeOf(trees: readonly LocalTree[], name: string): LocalTree {
  const tree = localTree({ dir: '', trees, skipped: [], foreign: [], stores: [] }, name);
  assert.ok(tree, `no ${name}`);
  return tree;
}
