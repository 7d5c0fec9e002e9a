import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { headsOf, manifestOf, mergeTree, nextGeneration, pathsByCommit } from '../../src/model/merge.ts';
import {
  A,
  B,
  inSnapshot,
  lfsBlob,
  manifest,
  plainFile,
  REPO,
  said,
  TORCH,
  type ManifestContents,
} from './builders.ts';

const WHOLE = { 'w.bin': 'weights', 'README.md': 'old' };
const WHOLE_AGAIN = { 'w.bin': 'weights', 'README.md': 'new' };

describe('heads', () => {
  const one = manifest({ tree: TORCH, files: [plainFile('a', '1')] });
  const two = manifest({ tree: TORCH, files: [plainFile('b', '2')] });
  const three = manifest({ tree: TORCH, generation: 2, supersedes: [one], files: [plainFile('a', '3')] });
  const four = manifest({
    tree: TORCH,
    generation: 3,
    supersedes: [three, two],
    files: [plainFile('c', '4')],
  });

  test('are the manifests that no other supersedes', () => {
    assert.deepEqual(headsOf([]), []);
    assert.deepEqual(headsOf([one, two]), [one, two]);
    assert.deepEqual(headsOf([one, two, three]), [two, three]);
    assert.deepEqual(headsOf([one, two, three, four]), [four]);
    assert.deepEqual(headsOf([one, four]), [one, four]);
  });

  test('say everything: what only a superseded manifest has is gone', () => {
    const merged = mergeTree(TORCH, [one, two, three, four]);
    assert.deepEqual([...merged.files.keys()], ['c']);
    assert.deepEqual(merged.heads, [four.name]);
    assert.equal(merged.generation, 3);
  });

  test('are not ended by what cannot have merged them', () => {
    const same = manifest({ tree: TORCH, supersedes: [two], files: [plainFile('c', '5')] });
    assert.deepEqual(headsOf([one, two, same]), [one, two, same]);
  });

  test('are there, whatever supersedes what', () => {
    const cycle = ['a', 'b', 'c'].map((name, index) => ({
      name,
      manifest: { ...one.manifest, supersedes: ['a', 'b', 'c'], generation: index + 1 },
    }));
    assert.deepEqual(
      headsOf(cycle).map(({ name }) => name),
      ['c'],
    );
    const equals = cycle.map(({ name, manifest }) => ({ name, manifest: { ...manifest, generation: 7 } }));
    assert.equal(headsOf(equals).length, 3);
    assert.deepEqual([...mergeTree(TORCH, equals).files.keys()], ['a']);
  });

  test('count once, however often they are read', () => {
    assert.deepEqual(headsOf([one, two, one]), [one, two]);
  });

  test('are united', () => {
    const merged = mergeTree(TORCH, [one, two, three]);
    assert.deepEqual([...merged.files.keys()].toSorted(), ['a', 'b']);
    assert.deepEqual([...merged.heads].toSorted(), [two.name, three.name].toSorted());
  });
});

describe('where heads disagree', () => {
  test('about a file, the higher generation says what it is', () => {
    const [old, young] = [plainFile('a', 'old'), plainFile('a', 'young')];
    const heads = generations([
      { tree: TORCH, files: [old] },
      { tree: TORCH, files: [young] },
    ]);
    for (const order of [heads, heads.toReversed()])
      assert.deepEqual(mergeTree(TORCH, order).files.get('a'), young);
  });

  test('about a file of one generation, the higher name does', () => {
    const heads = ['1', '2', '3'].map((content) =>
      manifest({ tree: TORCH, files: [plainFile('a', content)] }),
    );
    const highest = heads.toSorted((a, b) => (a.name < b.name ? -1 : 1))[2];
    assert.deepEqual(mergeTree(TORCH, heads).files.get('a'), highest?.manifest.files[0]);
  });

  test('whether a path is a file or a link, it is one of them', () => {
    const path = inSnapshot(A, 'w.bin');
    const copy = { files: [plainFile(path, 'weights')] };
    const link = { snapshots: { [A]: { 'w.bin': 'weights' } } };
    const toLink = mergeTree(REPO, generations([copy, link]));
    assert.deepEqual([toLink.files.has(path), toLink.links.has(path)], [false, true]);
    const toCopy = mergeTree(REPO, generations([link, copy]));
    assert.deepEqual([toCopy.files.has(path), toCopy.links.has(path)], [true, false]);
  });

  test('only in that one knows the parts of the same bytes, they are kept', () => {
    const file = lfsBlob('weights');
    const parts = { algorithm: 'blake9-tree', size: 8, digests: ['x'] };
    const heads = generations([{ files: [{ ...file, parts }] }, { files: [file] }]);
    assert.deepEqual(mergeTree(REPO, heads).files.get(file.path)?.parts, parts);
  });
});

test('no manifests say nothing', () => {
  const nothing = { files: [], links: [], refs: [], retired: [] };
  assert.deepEqual(said(mergeTree(REPO, [])), nothing);
  assert.equal(mergeTree(REPO, []).generation, 0);
});

test('what was merged can be written down, and says the same alone', () => {
  const heads = generations([
    { snapshots: { [A]: WHOLE }, refs: { main: A } },
    { snapshots: { [B]: WHOLE_AGAIN }, refs: { main: B } },
  ]);
  const merged = mergeTree(REPO, heads);
  const written = manifestOf(merged, 3, merged.heads);
  assert.deepEqual(said(mergeTree(REPO, [{ name: 'written', manifest: written }])), said(merged));
  assert.deepEqual(
    headsOf([...heads, { name: 'written', manifest: written }]).map(({ name }) => name),
    ['written'],
  );
});

test('the files of a snapshot are counted by commit, blobs by none', () => {
  const paths = [inSnapshot(A, 'x'), inSnapshot(A, 'd/y'), inSnapshot(B, 'x'), 'blobs/x', 'snapshots/main/x'];
  assert.deepEqual(
    pathsByCommit(paths),
    new Map([
      [A, new Set(['x', 'd/y'])],
      [B, new Set(['x'])],
    ]),
  );
});

function generations(heads: readonly ManifestContents[]): ReturnType<typeof manifest>[] {
  return heads.map((contents, index) => manifest({ ...contents, generation: index + 1 }));
}

test('after the highest generation there is, the next one is the same', () => {
  const last = manifest({ tree: TORCH, generation: Number.MAX_SAFE_INTEGER, files: [plainFile('a', '1')] });
  assert.equal(nextGeneration(mergeTree(TORCH, [last])), Number.MAX_SAFE_INTEGER);
  assert.equal(nextGeneration(mergeTree(TORCH, [])), 1);
});
