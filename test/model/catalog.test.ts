import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { catalogTree, currentCommits, type CatalogTree } from '../../src/model/catalog.ts';
import { linkTarget, shownPath } from '../../src/model/paths.ts';
import {
  A,
  B,
  gitBlob,
  gitSha1,
  inSnapshot,
  lfsBlob,
  plainFile,
  REPO,
  sha256,
  TORCH,
  view,
  type Contents,
} from './builders.ts';

const ALSO = 'engines';
const BLOB = lfsBlob('weights');

function treeOf(contents: Contents): CatalogTree {
  return catalogTree(view(contents));
}

function refusedPaths({ refused }: CatalogTree): readonly string[] {
  return refused.map(({ path }) => path).toSorted();
}

test('a tree has its files, links and refs, with where their bytes are', () => {
  const config = { ...gitBlob('config'), executable: true };
  const tree = treeOf({
    snapshots: { [A]: { 'sub/w.bin': 'weights' } },
    files: [config],
    refs: { main: A },
    retired: [B],
  });
  const link = inSnapshot(A, 'sub/w.bin');
  assert.deepEqual(tree, {
    tree: REPO,
    files: [
      {
        path: BLOB.path,
        size: 7,
        key: `${REPO}/${BLOB.path}`,
        digests: { sha256: sha256('weights') },
        executable: false,
      },
      {
        path: config.path,
        size: 6,
        key: `${REPO}/${config.path}`,
        digests: { sha256: sha256('config'), gitSha1: gitSha1('config') },
        executable: true,
      },
    ],
    links: [{ path: link, target: `../../../${BLOB.path}`, to: BLOB.path }],
    refs: [{ path: 'refs/main', content: A }],
    retired: new Set([B]),
    refused: [],
  });
});

describe('what is checked', () => {
  test('is the name of a blob, whatever the manifest says beside it', () => {
    const lying = { ...BLOB, sha256: sha256('other') };
    assert.deepEqual(treeOf({ files: [lying] }).files[0]?.digests, { sha256: sha256('weights') });
    const lyingGit = { ...gitBlob('config'), gitSha1: gitSha1('other') };
    const { digests } = treeOf({ files: [lyingGit] }).files[0]!;
    assert.deepEqual(digests, { sha256: sha256('config'), gitSha1: gitSha1('config') });
  });

  test('is the SHA-256 of the manifest for any other file', () => {
    const [file] = treeOf({ tree: TORCH, files: [plainFile('vgg.pth', 'vgg')] }).files;
    assert.deepEqual(file?.digests, { sha256: sha256('vgg') });
    assert.equal(file?.key, `.model-cache/v1/data/${sha256('vgg')}`);
  });
});

describe('a file is refused', () => {
  const rows: readonly { name: string; tree?: string; path: string }[] = [
    { name: 'above the tree', tree: TORCH, path: '../x' },
    { name: 'at an absolute path', tree: TORCH, path: '/etc/passwd' },
    { name: 'with NUL in its path', tree: TORCH, path: 'a\0b' },
    { name: 'with a backslash', tree: TORCH, path: 'a\\b' },
    { name: 'with a lone surrogate', tree: TORCH, path: '\ud800' },
    { name: 'with a path too long', tree: TORCH, path: `${'d/'.repeat(600)}x` },
    { name: 'that is a secret of a folder', tree: TORCH, path: 'token' },
    { name: 'that is a secret of an --also folder', tree: ALSO, path: 'sub/.env' },
    { name: 'that is a secret in a snapshot', path: inSnapshot(A, 'stored_tokens') },
    { name: 'under the name of a ref', path: 'refs/main' },
    { name: 'directly in a repo', path: 'token' },
    { name: 'beside the blobs', path: `blobs/${sha256('weights')}.incomplete` },
    { name: 'in a folder of a repo that we do not mirror', path: `.no_exist/${A}/x` },
    { name: 'in a snapshot of no commit', path: 'snapshots/main/x' },
  ];
  for (const { name, tree = REPO, path } of rows) {
    test(name, () => {
      const result = treeOf({ tree, files: [plainFile(path, 'x'), BLOB] });
      assert.deepEqual(result.refused, [{ path: shownPath(path), reason: 'unsafe-path' }]);
      assert.deepEqual(
        result.files.map((file) => file.path),
        [BLOB.path],
      );
    });
  }
});

describe('a link is refused', () => {
  const here = inSnapshot(A, 'w.bin');
  const rows: readonly { name: string; tree?: string; path?: string; target: string }[] = [
    { name: 'that leaves the tree', target: `../../../${BLOB.path}` },
    { name: 'that leaves the tree and comes back', target: `../../../models--org--model/${BLOB.path}` },
    { name: 'that is absolute', target: `/cache/${REPO}/${BLOB.path}` },
    { name: 'that leads to a ref', target: '../../refs/main' },
    { name: 'that leads to another snapshot', target: `../${B}/w.bin` },
    { name: 'that leads to what is no blob', target: '../../blobs/x' },
    { name: 'that leads into the shared store', target: `../../../blobs/ab/${sha256('weights')}` },
    { name: 'in the place of a blob', path: BLOB.path, target: sha256('other') },
    { name: 'in the place of a ref', path: 'refs/main', target: `../${BLOB.path}` },
    { name: 'directly in a repo', path: 'x', target: BLOB.path },
    { name: 'above the tree', path: '../x', target: BLOB.path },
    { name: 'of a folder that leaves it', tree: TORCH, path: 'latest', target: '../../hub/x' },
    { name: 'of a folder that leads to a secret', tree: TORCH, path: 'latest', target: 'token' },
    { name: 'of a folder that is called like a secret', tree: TORCH, path: '.env', target: 'x' },
    { name: 'of a folder that leads to itself', tree: TORCH, path: 'sub/x', target: '..' },
  ];
  for (const { name, tree = REPO, path = here, target } of rows) {
    test(name, () => {
      const result = treeOf({ tree, links: { [path]: target } });
      assert.deepEqual(result.refused, [{ path, reason: 'unsafe-path' }]);
      assert.deepEqual(result.links, []);
    });
  }

  test('never goes another way than the shortest, so that nothing on the way decides where it leads', () => {
    const target = `gone/../../../${BLOB.path}`;
    const { links } = treeOf({ files: [BLOB], links: { [here]: target } });
    for (const link of links) assert.equal(link.target, linkTarget(link.path, link.to));
  });
});

describe('of two paths that cannot both be there, one is refused', () => {
  test('the link that would be the folder of a file', () => {
    const tree = treeOf({ tree: ALSO, files: [plainFile('v1/x', 'x')], links: { v1: 'v2' } });
    assert.deepEqual(refusedPaths(tree), ['v1']);
    assert.deepEqual(
      tree.files.map(({ path }) => path),
      ['v1/x'],
    );
  });

  test('the file below a file', () => {
    const tree = treeOf({ tree: ALSO, files: [plainFile('v1', 'x'), plainFile('v1/sub/x', 'x')] });
    assert.deepEqual(refusedPaths(tree), ['v1/sub/x']);
  });

  test('the link below a file', () => {
    const tree = treeOf({ tree: ALSO, files: [plainFile('v1', 'x')], links: { 'v1/x': '../v2' } });
    assert.deepEqual(refusedPaths(tree), ['v1/x']);
  });

  test('the link below a link', () => {
    const path = inSnapshot(A, 'sub');
    const links = { [path]: `../../${BLOB.path}`, [`${path}/x`]: `../../../${BLOB.path}` };
    assert.deepEqual(refusedPaths(treeOf({ files: [BLOB], links })), [`${path}/x`]);
  });

  test('the ref below a ref', () => {
    assert.deepEqual(refusedPaths(treeOf({ refs: { main: A, 'main/x': A } })), ['refs/main/x']);
  });

  test('and neighbours with a common beginning are not meant', () => {
    const tree = treeOf({
      tree: ALSO,
      files: [plainFile('v1', 'x'), plainFile('v1.bin', 'x'), plainFile('v10/x', 'x')],
    });
    assert.deepEqual(refusedPaths(tree), []);
  });
});

describe('a ref', () => {
  test('lives below refs/ of a repo, and nowhere else', () => {
    assert.deepEqual(refusedPaths(treeOf({ refs: { '../x': A, 'main.0badcafe.tmp': A } })), [
      'refs/../x',
      'refs/main.0badcafe.tmp',
    ]);
    assert.deepEqual(refusedPaths(treeOf({ tree: TORCH, refs: { main: A } })), ['refs/main']);
    assert.deepEqual(treeOf({ refs: { 'refs/pr/1': A } }).refs, [{ path: 'refs/refs/pr/1', content: A }]);
  });
});

describe('current are', () => {
  const both = { [A]: { 'w.bin': 'weights' }, [B]: { 'w.bin': 'weights' } };
  const rows: readonly { name: string; contents: Contents; current: readonly string[] }[] = [
    {
      name: 'commits that a ref points to',
      contents: { snapshots: both, refs: { main: B }, retired: [A] },
      current: [B],
    },
    { name: 'commits that never had a ref', contents: { snapshots: both }, current: [A, B] },
    {
      name: 'commits that another ref points to',
      contents: { snapshots: both, refs: { main: B, v1: A } },
      current: [A, B],
    },
    { name: 'no commits without files', contents: { refs: { main: A } }, current: [] },
    {
      name: 'no commits that every ref has left',
      contents: { snapshots: both, retired: [A, B] },
      current: [],
    },
  ];
  for (const { name, contents, current } of rows) {
    test(name, () => assert.deepEqual([...currentCommits(treeOf(contents))].toSorted(), [...current]));
  }
});
