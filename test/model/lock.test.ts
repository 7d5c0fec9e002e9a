import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TreeName } from '../../src/model/tree.ts';
import { lockOf } from '../../src/model/lock.ts';
import { mergeTree } from '../../src/model/merge.ts';
import {
  A,
  B,
  EVERYTHING,
  manifest,
  plainFile,
  REPO,
  selection,
  TORCH,
  type ManifestContents,
} from './builders.ts';

const WHISPER = 'hub/models--openai--whisper';
const MODEL = { snapshots: { [A]: { 'w.bin': 'weights', 'README.md': 'read' } }, refs: { main: A } };
const TREES: Readonly<Record<TreeName, ManifestContents>> = {
  [REPO]: MODEL,
  [WHISPER]: { tree: WHISPER, snapshots: { [B]: { 'w.bin': 'whisper' } }, refs: { main: B } },
  [TORCH]: { tree: TORCH, files: [plainFile('a.pth', 'a')] },
  engines: { tree: 'engines', files: [plainFile('a.plan', 'engine')] },
};
const VIEWS = Object.entries(TREES).map(([tree, contents]) => mergeTree(tree, [manifest(contents)]));

const rows: readonly (readonly [
  name: string,
  models: readonly string[],
  exclude: readonly string[],
  also: readonly string[],
  trees: readonly string[],
])[] = [
  ['everything that a restore takes', [], [], [], [REPO, WHISPER, TORCH]],
  ['a folder that is named', [], [], ['engines'], [REPO, WHISPER, TORCH, 'engines']],
  ['the repos that are named', ['org/model:*.bin'], [], [], [REPO]],
  ['no tree that is left out as a whole', [], ['openai/*'], [], [REPO, TORCH]],
  ['a tree of which something is left', [], ['org/model/*.md'], [], [REPO, WHISPER, TORCH]],
];
for (const [name, models, exclude, also, trees] of rows) {
  test(`a lock names the manifests of ${name}`, () => {
    const { lock, unmatched } = lockOf(VIEWS, selection(models, exclude), also);
    assert.deepEqual(lock.manifests.map(({ tree }) => tree).toSorted(), trees.toSorted());
    assert.deepEqual(unmatched, []);
    for (const { tree, name: digest } of lock.manifests)
      assert.equal(digest, manifest(TREES[tree] ?? {}).name);
  });
}

test('a lock names every head of a tree, and nothing that a head has superseded', () => {
  const old = manifest(MODEL);
  const heads = [
    manifest({ ...MODEL, generation: 2, supersedes: [old], refs: { main: A, x: A } }),
    manifest({ ...MODEL, generation: 2, supersedes: [old], refs: { main: A, y: A } }),
  ];
  const { lock } = lockOf([mergeTree(REPO, [old, ...heads])], EVERYTHING, []);
  assert.deepEqual(
    lock.manifests.map(({ name }) => name).toSorted(),
    heads.map(({ name }) => name).toSorted(),
  );
});

test('a --model that matches nothing is told, and what a restore would come to', () => {
  const { restores, unmatched } = lockOf(VIEWS, selection(['org/model:*.bin', 'org/modle']), []);
  assert.deepEqual(unmatched, ['org/modle']);
  assert.deepEqual(restores, { files: 1, bytes: 'weights'.length });
});

test('what is never restored is counted, in the trees that are locked', () => {
  const unsafe = { ...plainFile('blobs/../../x', 'x') };
  const views = [mergeTree(REPO, [manifest({ ...MODEL, files: [unsafe] })])];
  assert.equal(lockOf(views, EVERYTHING, []).refused, 1);
});
