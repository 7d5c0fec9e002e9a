import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TreeManifests } from '../../src/model/heads.ts';
import type { NamedManifest } from '../../src/model/manifest.ts';
import { headsOf, mergeTree } from '../../src/model/merge.ts';
import { manifest, plainFile, REPO, said, TORCH } from './builders.ts';
import { history, RUNS } from './histories.ts';

const SIZE = 100;

test('with room for all, they say what all manifests say, in whatever order those come', () => {
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.nat()), (given, luck) => {
      const manifests = new TreeManifests(REPO);
      for (const named of shuffled(given, luck)) manifests.add(named, SIZE, Number.POSITIVE_INFINITY);
      const whole = mergeTree(REPO, given);
      assert.deepEqual(said(manifests.view()), said(whole));
      assert.deepEqual(manifests.view().heads, whole.heads);
      assert.equal(manifests.bytes, SIZE * headsOf(given).length);
      assert.deepEqual(manifests.unkept, []);
    }),
    RUNS,
  );
});

test('without room, those are known that have to be read again, and no more is kept than there is room for', () => {
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.nat()), fc.nat(4), (given, luck, most) => {
      const manifests = new TreeManifests(REPO);
      const distinct = [...new Map(given.map((named) => [named.name, named])).values()];
      for (const named of shuffled(distinct, luck)) {
        manifests.add(named, SIZE, most * SIZE - manifests.bytes);
        assert.ok(manifests.bytes <= most * SIZE);
      }
      const heads = headsOf(distinct).map(({ name }) => name);
      const { heads: kept } = manifests.view();
      assert.deepEqual([...kept, ...manifests.unkept].toSorted(), heads.toSorted());
    }),
    RUNS,
  );
});

test('of ten uploads, each of which has merged the one before, one is kept, though there is room for no more', () => {
  const uploads = tenUploads();
  for (const order of [uploads, uploads.toReversed()]) {
    const manifests = new TreeManifests(TORCH);
    for (const named of order) manifests.add(named, SIZE, SIZE - manifests.bytes);
    assert.deepEqual(manifests.view().heads, [uploads.at(-1)?.name]);
    assert.deepEqual(said(manifests.view()), said(mergeTree(TORCH, uploads)));
  }
});

test('a head that is read again, now that there is room, is kept', () => {
  const [one, other] = ['one', 'other'].map((path) =>
    manifest({ tree: TORCH, files: [plainFile(path, path)] }),
  ) as [NamedManifest, NamedManifest];
  const manifests = new TreeManifests(TORCH);
  manifests.add(one, SIZE, SIZE);
  manifests.add(other, SIZE, 0);
  assert.deepEqual(manifests.unkept, [other.name]);
  assert.deepEqual(
    manifests.view().heads,
    [one.name],
    'who merges what is kept must not supersede the other',
  );
  manifests.add(other, SIZE, SIZE);
  assert.deepEqual(manifests.unkept, []);
  assert.deepEqual(said(manifests.view()), said(mergeTree(TORCH, [one, other])));
});

function tenUploads(): readonly NamedManifest[] {
  const written: NamedManifest[] = [];
  for (let generation = 1; generation <= 10; generation += 1) {
    const before = written.at(-1);
    written.push(
      manifest({
        tree: TORCH,
        generation,
        supersedes: before === undefined ? [] : [before],
        files: Array.from({ length: generation }, (_, index) => plainFile(`file-${index}`, `${generation}`)),
      }),
    );
  }
  return written;
}

function shuffled<T>(items: readonly T[], luck: Iterable<number>): readonly T[] {
  const places = luck[Symbol.iterator]();
  return items
    .map((item) => ({ item, place: Number(places.next().value) }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
