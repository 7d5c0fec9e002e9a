import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  displayName,
  isAllowedTree,
  isRepoFolder,
  isUnfinishedName,
  mayHoldBytes,
  roleOf,
  treeOfRepoFolder,
  overlapOf,
} from '../../src/model/tree.ts';
import { A, gitSha1, inSnapshot, REPO, sha256, TORCH } from './builders.ts';

const ALSO = 'engines/trt';
const LFS = sha256('weights');
const GIT = gitSha1('config');

test('a repo is known by the shape of its folder', () => {
  for (const name of ['models--org--name', 'models--gpt2', 'datasets--o--n', 'spaces--o--n', 'kernels--o--n'])
    assert.equal(isRepoFolder(name), true, name);
  for (const name of ['models', 'models--', 'model--o--n', 'xmodels--o--n', 'models--o/n', 'token', ''])
    assert.equal(isRepoFolder(name), false, name);
});

test('a repo is called as on the Hub, a folder by its path', () => {
  assert.equal(displayName('hub/models--SWivid--F5-TTS'), 'SWivid/F5-TTS');
  assert.equal(displayName('models--gpt2'), 'gpt2');
  assert.equal(displayName(TORCH), TORCH);
});

test('a repo directly below the dir is the tree that it is under hub/', () => {
  assert.equal(treeOfRepoFolder('models--org--model'), REPO);
  assert.equal(treeOfRepoFolder(REPO), REPO);
  assert.equal(treeOfRepoFolder('mine/models--org--model'), 'mine/models--org--model');
});

describe('a tree that a bucket names', () => {
  const rows: readonly { tree: string; allowed: boolean }[] = [
    { tree: REPO, allowed: true },
    { tree: 'mine/deep/models--o--n', allowed: true },
    { tree: TORCH, allowed: true },
    { tree: ALSO, allowed: true },
    { tree: `${ALSO}/inner`, allowed: false },
    { tree: 'engines', allowed: false },
    { tree: 'hub', allowed: false },
    { tree: 'torch/hub', allowed: false },
    { tree: '../models--o--n', allowed: false },
    { tree: 'hub/../models--o--n', allowed: false },
    { tree: '/etc/models--o--n', allowed: false },
    { tree: 'hub\\models--o--n', allowed: false },
    { tree: 'hub/models--o\0--n', allowed: false },
    { tree: '', allowed: false },
    { tree: `${REPO}/`, allowed: false },
    { tree: `${REPO}/snapshots/models--o--n`, allowed: false },
    { tree: '.model-cache/partial/models--o--n', allowed: false },
    { tree: 'hub/.locks/models--o--n', allowed: false },
    { tree: 'xet/models--o--n', allowed: false },
    { tree: 'modules/models--o--n', allowed: false },
    { tree: 'gradio/models--o--n', allowed: false },
    { tree: '.Model-Cache/models--o--n', allowed: false },
    { tree: '.model\u200d-cache/models--o--n', allowed: false },
    { tree: '.model-cache. /models--o--n', allowed: false },
    { tree: 'hub/.LOCKS/models--o--n', allowed: false },
    { tree: 'MODULES/models--o--n', allowed: false },
    { tree: 'models--o--n', allowed: false },
    { tree: `${ALSO}/models--o--n`, allowed: false },
    { tree: `${ALSO}-more/models--o--n`, allowed: true },
    { tree: `${TORCH}/models--o--n`, allowed: false },
    { tree: `${REPO}/blobs/models--o--n`, allowed: false },
    { tree: 'hub/models--o--n.partial', allowed: true },
    { tree: 'token/models--o--n', allowed: false },
    { tree: 'mine/Token/models--o--n', allowed: false },
    { tree: 'stored_tokens/models--o--n', allowed: false },
    { tree: '.env/models--o--n', allowed: false },
    { tree: 'hub/version.txt/models--o--n', allowed: false },
    { tree: 'hub/CACHEDIR.TAG/models--o--n', allowed: false },
    { tree: '.check_for_update_done/models--o--n', allowed: false },
    { tree: 'sandbox/models--o--n', allowed: false },
    { tree: 'lost+found/models--o--n', allowed: false },
    { tree: 'torch/hub/models--o--n', allowed: false },
    { tree: 'torch/hub/trusted_list/models--o--n', allowed: false },
    { tree: 'torch/hub/pytorch_vision_main/models--o--n', allowed: false },
    { tree: 'Torch/Hub/models--o--n', allowed: false },
    { tree: 'torch/sentence_transformers/models--o--n', allowed: true },
    { tree: 'tmp_x/models--o--n', allowed: false },
    { tree: 'hub/x.lock/models--o--n', allowed: false },
    { tree: 'hub/blobs/models--o--n', allowed: false },
    { tree: 'Engines/TRT/models--o--n', allowed: false },
    { tree: '__proto__', allowed: false },
    { tree: '__proto__/models--constructor', allowed: true },
  ];
  for (const { tree, allowed } of rows) {
    test(`${JSON.stringify(tree)} is ${allowed ? 'allowed' : 'refused'}`, () =>
      assert.equal(isAllowedTree(tree, [ALSO]), allowed));
  }

  test('is refused as a folder that --also did not name', () => {
    assert.equal(isAllowedTree(ALSO, []), false);
  });
});

for (const [folder, other] of [
  ['torch', TORCH],
  ['torch/hub', TORCH],
  [`${TORCH}/mine`, TORCH],
  ['Torch/Hub/Checkpoints', TORCH],
  ['hub/models--a--b', 'hub/models--a--b'],
  ['models--a--b/mine', 'models--a--b'],
  ['engines', 'engines/trt'],
  ['engines/trt/f5', 'engines/trt'],
  ['CKPTS', 'ckpts'],
  [TORCH, undefined],
  ['engines/onnx', undefined],
  ['ckpts', undefined],
  ['ckpts-more', undefined],
] as const) {
  test(`a folder to mirror that is ${folder} overlaps ${other ?? 'nothing'}`, () => {
    assert.equal(overlapOf(folder, ['engines/trt', 'ckpts']), other);
  });
}

describe('in a repo', () => {
  const rows: readonly { path: string; role: string | undefined; holdsBytes: boolean }[] = [
    { path: `blobs/${LFS}`, role: 'blob', holdsBytes: true },
    { path: `blobs/${GIT}`, role: 'blob', holdsBytes: true },
    { path: inSnapshot(A, 'sub/w.bin'), role: 'snapshot', holdsBytes: true },
    { path: 'refs/main', role: 'ref', holdsBytes: false },
    { path: 'refs/refs/pr/1', role: 'ref', holdsBytes: false },
    { path: 'refs/main.0badcafe.tmp', role: undefined, holdsBytes: false },
    { path: 'refs', role: undefined, holdsBytes: false },
    { path: `blobs/${LFS}.incomplete`, role: undefined, holdsBytes: false },
    { path: `blobs/${LFS}.0badcafe.incomplete`, role: undefined, holdsBytes: false },
    { path: `blobs/${LFS}.lock`, role: undefined, holdsBytes: false },
    { path: `blobs/.${LFS}.0badcafe.shared`, role: undefined, holdsBytes: false },
    { path: 'blobs/tmp_4a8e', role: undefined, holdsBytes: false },
    { path: `blobs/${LFS}/x`, role: undefined, holdsBytes: false },
    { path: 'blobs', role: undefined, holdsBytes: false },
    { path: `snapshots/${A}`, role: undefined, holdsBytes: false },
    { path: 'snapshots/main/w.bin', role: undefined, holdsBytes: false },
    { path: inSnapshot(A, '../../../x'), role: undefined, holdsBytes: false },
    { path: inSnapshot(A, 'w.bin.incomplete'), role: 'snapshot', holdsBytes: false },
    { path: `.no_exist/${A}/x`, role: undefined, holdsBytes: false },
    { path: `trees/${A}.json`, role: undefined, holdsBytes: false },
    { path: 'CACHEDIR.TAG', role: undefined, holdsBytes: false },
    { path: 'tmpab12cd34/x', role: undefined, holdsBytes: false },
    { path: 'x', role: undefined, holdsBytes: false },
  ];
  for (const { path, role, holdsBytes } of rows) {
    test(`${path} is ${role ?? 'nothing of ours'}${holdsBytes ? ', and may hold bytes' : ''}`, () => {
      assert.equal(roleOf(REPO, path)?.role, role);
      assert.equal(mayHoldBytes(REPO, path), holdsBytes);
    });
  }

  test('a blob has the digest of its name, a snapshot file its commit', () => {
    assert.deepEqual(roleOf(REPO, `blobs/${LFS}`), { role: 'blob', digests: { sha256: LFS } });
    assert.deepEqual(roleOf(REPO, inSnapshot(A, 'a/b')), { role: 'snapshot', commit: A, file: 'a/b' });
  });
});

describe('in a folder', () => {
  const rows: readonly { path: string; held: boolean }[] = [
    { path: 'vgg16-397923af.pth', held: true },
    { path: 'sub/x.pt', held: true },
    { path: `blobs/${LFS}`, held: true },
    { path: 'vgg16-397923af.pth.0123456789abcdef.partial', held: false },
    { path: 'x.tmp', held: false },
    { path: 'x.lock', held: false },
    { path: 'x.incomplete', held: false },
    { path: 'tmp_data', held: false },
    { path: 'tmpab12_d34', held: false },
    { path: '.nfs000123', held: false },
    { path: 'tmpab12cd34/x', held: false },
    { path: '../x', held: false },
  ];
  for (const { path, held } of rows) {
    test(`${path} is ${held ? 'held' : 'left'}`, () => {
      assert.equal(roleOf(TORCH, path)?.role, held ? 'file' : undefined);
      assert.equal(mayHoldBytes(TORCH, path), held);
    });
  }

  test('a name is unfinished only as a whole', () => {
    for (const name of ['tmpfiles', 'template.bin', 'tmp.bin', 'x.lockfile', 'incomplete'])
      assert.equal(isUnfinishedName(name), false, name);
  });
});

describe('a secret never holds bytes', () => {
  const names = [
    'token',
    'TOKEN',
    'stored_tokens',
    '.env',
    '.env.local',
    '.netrc',
    '.git-credentials',
    'id_rsa',
    'id_ed25519',
    'server.pem',
    'server.key',
    'x.p12',
    'x.pfx',
  ];
  for (const name of names) {
    test(name, () => {
      for (const path of [name, `sub/${name}`, `${name}/x`]) {
        assert.equal(mayHoldBytes(TORCH, path), false, `${TORCH}/${path}`);
        assert.equal(mayHoldBytes(ALSO, path), false, `${ALSO}/${path}`);
        assert.equal(mayHoldBytes(REPO, path), false, `${REPO}/${path}`);
        assert.equal(mayHoldBytes(REPO, inSnapshot(A, path)), false, inSnapshot(A, path));
      }
    });
  }

  test('and what only looks like one does', () => {
    for (const name of [
      'tokenizer.json',
      'token.json',
      'added_tokens.json',
      'environment.yaml',
      'keys.bin',
    ]) {
      assert.equal(mayHoldBytes(TORCH, name), true, name);
      assert.equal(mayHoldBytes(REPO, inSnapshot(A, name)), true, name);
    }
  });
});
