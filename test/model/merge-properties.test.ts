import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Listing } from '../../src/model/bucket.ts';
import { serializeManifest, type NamedManifest } from '../../src/model/manifest.ts';
import { headsOf, manifestOf, mergeTree, pathsByCommit, type TreeView } from '../../src/model/merge.ts';
import { nextManifest } from '../../src/model/upload-plan.ts';
import { listing, local, manifest, manifestFiles, REPO, said, type Contents } from './builders.ts';
import { agreedContents, history, RUNS, someContents } from './histories.ts';

describe('a merge', () => {
  test('does not heed the order in which manifests are read', () => {
    const shuffled = history.chain((manifests) =>
      fc.tuple(
        fc.constant(manifests),
        fc.shuffledSubarray([...manifests], { minLength: manifests.length, maxLength: manifests.length }),
      ),
    );
    check(shuffled, ([manifests, otherwise]) => assertSame(merge(otherwise), merge(manifests)));
  });

  test('does not heed how often a manifest is read', () => {
    check(history, (manifests) => assertSame(merge([...manifests, ...manifests]), merge(manifests)));
  });

  test('of what was merged says the same', () => {
    check(history, (manifests) => {
      const merged = merge(manifests);
      const again = merge([{ name: 'again', manifest: manifestOf(merged, merged.generation, []) }]);
      assert.deepEqual(said(again), said(merged));
    });
  });

  test('may be made in parts: where nobody disagrees, no part matters', () => {
    check(fc.tuple(fc.array(agreedContents), fc.array(agreedContents)), ([ones, others]) => {
      const manifestsOf = (contents: readonly Contents[]): readonly NamedManifest[] =>
        contents.map((each, index) => manifest({ ...each, generation: index + 1 }));
      const parts = [ones, others].map((contents, index) => {
        const view = merge(manifestsOf(contents));
        return { name: `part ${index}`, manifest: manifestOf(view, Math.max(1, view.generation), []) };
      });
      const inParts = merge(parts);
      const atOnce = merge([...manifestsOf(ones), ...manifestsOf(others)]);
      assert.deepEqual(sorted(inParts.files), sorted(atOnce.files));
      assert.deepEqual(sorted(inParts.links), sorted(atOnce.links));
    });
  });

  test('that was written supersedes what it was merged from, and says the same', () => {
    check(history, (manifests) => {
      const merged = merge(manifests);
      const value = manifestOf(merged, merged.generation + 1, merged.heads);
      const written = { name: serializeManifest(value).name, manifest: value };
      assert.deepEqual(headsOf([...manifests, written]), [written]);
      assert.deepEqual(said(merge([...manifests, written])), said(merged));
    });
  });

  test('loses nothing that a head has', () => {
    check(history, (manifests) => {
      const merged = merge(manifests);
      for (const { manifest: head } of headsOf(manifests)) {
        assert.ok(head.files.every(({ path }) => merged.files.has(path)));
        assert.ok(head.links.every(({ path }) => merged.links.has(path)));
        assert.ok(head.refs.every(({ path }) => merged.refs.has(path)));
        assert.ok(head.generation <= merged.generation);
      }
    });
  });

  test('ends a ref at a commit that some head gave it, never at one that it has left', () => {
    check(history, (manifests) => {
      const merged = merge(manifests);
      for (const [path, content] of merged.refs) {
        const given = headsOf(manifests).flatMap((head) =>
          head.manifest.refs.filter((ref) => ref.path === path),
        );
        assert.ok(given.some((ref) => ref.content === content));
        assert.equal(merged.retired.has(content), false);
      }
    });
  });

  test('keeps a commit that a head has under a ref, until that ref has one with all its files', () => {
    check(history, (manifests) => {
      const merged = merge(manifests);
      const paths = pathsByCommit([...merged.files.keys(), ...merged.links.keys()]);
      const now = merged.refs.get('refs/main') ?? '';
      for (const { content } of headsOf(manifests).flatMap((head) => head.manifest.refs)) {
        if (!merged.retired.has(content)) continue;
        const files = paths.get(content) ?? new Set();
        assert.ok(files.isSubsetOf(paths.get(now) ?? new Set()), `${content} has files that ${now} lacks`);
      }
    });
  });
});

test('a pod that uploads twice has nothing to say the second time, and generations only grow', () => {
  check(fc.tuple(history, someContents), ([manifests, here]) => {
    const files = manifests.flatMap((one) => one.manifest.files);
    const everything = listing(here, { files });
    const view = { tree: local(here), files: manifestFiles(here) };
    const first = nextManifest(merge(manifests), view, new Map(), everything);
    if (first === undefined) return;
    assert.ok(manifests.every((one) => one.manifest.generation < first.generation));
    const written = [...manifests, { name: serializeManifest(first).name, manifest: first }];
    assert.equal(nextManifest(merge(written), view, new Map(), everything), undefined);
  });
});

test('pods whose disks do not change any more come to rest, whatever their refs say', () => {
  check(fc.array(agreedContents, { minLength: 2, maxLength: 4 }), (contents) => {
    const pods = contents.map((here) => ({ here, agreed: new Map<string, string>() }));
    const objects = listing(...contents);
    const written: NamedManifest[] = [];
    const roundsOfAll = Array.from({ length: 5 }, () => pods.map((pod) => upload(pod, written, objects)));
    assert.deepEqual(
      roundsOfAll.at(-1),
      pods.map(() => 'no news'),
    );
  });
});

interface Pod {
  readonly here: Contents;
  /** Refs of this disk that the bucket has had as they are. */
  readonly agreed: Map<string, string>;
}

function upload({ here, agreed }: Pod, written: NamedManifest[], objects: Listing): 'news' | 'no news' {
  const tree = local(here);
  const before = merge(written);
  const value = nextManifest(before, { tree, files: manifestFiles(here) }, agreed, objects);
  const after = value === undefined ? before : merge([{ name: 'after', manifest: value }]);
  for (const [path, content] of tree.refs) if (after.refs.get(path) === content) agreed.set(path, content);
  if (value === undefined) return 'no news';
  written.push({ name: serializeManifest(value).name, manifest: value });
  return 'news';
}

function check<T>(values: fc.Arbitrary<T>, holds: (value: T) => void): void {
  fc.assert(fc.property(values, holds), RUNS);
}

function merge(manifests: readonly NamedManifest[]): TreeView {
  return mergeTree(REPO, manifests);
}

function assertSame(one: TreeView, other: TreeView): void {
  assert.deepEqual(said(one), said(other));
  assert.deepEqual(one.heads, other.heads);
  assert.equal(serialized(one), serialized(other));
}

function serialized(view: TreeView): string {
  return serializeManifest(manifestOf(view, view.generation, view.heads)).name;
}

function sorted<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
}
