import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Listing } from '../../src/model/bucket.ts';
import { serializeManifest, type NamedManifest } from '../../src/model/manifest.ts';
import { headsOf, manifestOf, mergeTree, pathsByCommit, type TreeView } from '../../src/model/merge.ts';
import { nextManifest } from '../../src/model/upload-plan.ts';
import {
  A,
  B,
  C,
  listing,
  local,
  manifest,
  manifestFiles,
  random,
  REPO,
  said,
  shuffled,
  type Contents,
} from './builders.ts';

const ROUNDS = 1000;
const FLEETS = 200;
const COMMITS = [A, B, C];
const FILES = ['w.bin', 'README.md', 'sub/vocab.txt'];

/** Whatever pods could have written, and some things that they would not. */
function history(next: () => number): readonly NamedManifest[] {
  const written: NamedManifest[] = [];
  const count = 1 + Math.floor(next() * 6);
  for (let index = 0; index < count; index += 1) {
    const supersedes = written.filter(() => next() < 0.2);
    const seen = Math.max(0, ...supersedes.map((one) => one.manifest.generation));
    written.push(manifest({ ...contents(next), supersedes, generation: seen + 1 }));
  }
  return written;
}

function contents(
  next: () => number,
): Contents & { readonly snapshots: Record<string, Record<string, string>> } {
  const snapshots = Object.fromEntries(
    COMMITS.filter(() => next() < 0.3).map((commit) => [commit, Object.fromEntries(someFiles(next))]),
  );
  const refs = next() < 0.8 ? { main: oneOf(COMMITS, next) } : {};
  return { snapshots, refs, retired: COMMITS.filter(() => next() < 0.2) };
}

function someFiles(next: () => number): readonly (readonly [string, string])[] {
  return FILES.filter(() => next() < 0.5).map((file) => [file, `${file} ${Math.floor(next() * 2)}`]);
}

function oneOf<T>(items: readonly T[], next: () => number): T {
  return items[Math.floor(next() * items.length)] as T;
}

function pathsOf(view: TreeView): ReadonlyMap<string, ReadonlySet<string>> {
  return pathsByCommit([...view.files.keys(), ...view.links.keys()]);
}

function forManyHistories(check: (manifests: readonly NamedManifest[], next: () => number) => void): void {
  for (let seed = 1; seed <= ROUNDS; seed += 1) {
    const next = random(seed);
    try {
      check(history(next), next);
    } catch (error) {
      throw new Error(`with seed ${seed}`, { cause: error });
    }
  }
}

test('the order in which manifests are read makes no difference', () => {
  forManyHistories((manifests, next) => {
    const merged = mergeTree(REPO, manifests);
    const again = mergeTree(REPO, shuffled(manifests, next));
    assert.deepEqual(said(again), said(merged));
    assert.deepEqual(again.heads, merged.heads);
    assert.equal(serialized(again), serialized(merged));
  });
});

test('what was merged and written supersedes what it was merged from, and says the same', () => {
  forManyHistories((manifests) => {
    const merged = mergeTree(REPO, manifests);
    const value = manifestOf(merged, merged.generation + 1, merged.heads);
    const written = { name: serializeManifest(value).name, manifest: value };
    assert.deepEqual(headsOf([...manifests, written]), [written]);
    assert.deepEqual(said(mergeTree(REPO, [...manifests, written])), said(merged));
  });
});

test('nothing that a head has is lost', () => {
  forManyHistories((manifests) => {
    const merged = mergeTree(REPO, manifests);
    for (const { manifest: head } of headsOf(manifests)) {
      assert.ok(head.files.every(({ path }) => merged.files.has(path)));
      assert.ok(head.links.every(({ path }) => merged.links.has(path)));
      assert.ok(head.refs.every(({ path }) => merged.refs.has(path)));
      assert.ok(head.generation <= merged.generation);
    }
  });
});

test('a ref ends at a commit that some head gave it, never at one that it has left', () => {
  forManyHistories((manifests) => {
    const merged = mergeTree(REPO, manifests);
    for (const [path, content] of merged.refs) {
      const given = headsOf(manifests).flatMap((head) =>
        head.manifest.refs.filter((ref) => ref.path === path),
      );
      assert.ok(given.some((ref) => ref.content === content));
      assert.equal(merged.retired.has(content), false);
    }
  });
});

test('a commit that a head has under a ref stays wanted, until that ref has one with all its files', () => {
  forManyHistories((manifests) => {
    const merged = mergeTree(REPO, manifests);
    const paths = pathsOf(merged);
    const now = merged.refs.get('refs/main') ?? '';
    for (const { content } of headsOf(manifests).flatMap((head) => head.manifest.refs)) {
      if (!merged.retired.has(content)) continue;
      const files = paths.get(content) ?? new Set();
      assert.ok(files.isSubsetOf(paths.get(now) ?? new Set()), `${content} has files that ${now} lacks`);
    }
  });
});

test('a pod that uploads twice has nothing to say the second time, and generations only grow', () => {
  forManyHistories((manifests, next) => {
    const here = contents(next);
    const tree = local(here);
    const files = manifests.flatMap((one) => one.manifest.files);
    const everything = listing(here, { files });
    const view = { tree, files: manifestFiles(here) };
    const first = nextManifest(mergeTree(REPO, manifests), view, new Map(), everything);
    if (first === undefined) return;
    assert.ok(manifests.every((one) => one.manifest.generation < first.generation));
    const written = [...manifests, { name: serializeManifest(first).name, manifest: first }];
    assert.equal(nextManifest(mergeTree(REPO, written), view, new Map(), everything), undefined);
  });
});

test('pods whose disks do not change any more come to rest, whatever their refs say', () => {
  for (let seed = 1; seed <= FLEETS; seed += 1) {
    const next = random(seed);
    const pods = Array.from({ length: 2 + Math.floor(next() * 3) }, () => newPod(next));
    const objects = listing(...pods.map(({ here }) => here));
    const written: NamedManifest[] = [];
    const roundsOfAll = Array.from({ length: 5 }, () => pods.map((pod) => upload(pod, written, objects)));
    assert.deepEqual(
      roundsOfAll.at(-1),
      pods.map(() => 'no news'),
      `with seed ${seed}`,
    );
  }
});

interface Pod {
  readonly here: Contents;
  /** Refs of this disk that the bucket has had as they are. */
  readonly agreed: Map<string, string>;
}

/** A path of a commit has the same content everywhere, and some files are the same in all commits. */
function newPod(next: () => number): Pod {
  const filesOf = (commit: string): Record<string, string> =>
    Object.fromEntries(
      FILES.filter(() => next() < 0.7).map((file) => [
        file,
        file === 'w.bin' ? file : `${file} of ${commit}`,
      ]),
    );
  const snapshots = Object.fromEntries(
    COMMITS.filter(() => next() < 0.6).map((commit) => [commit, filesOf(commit)]),
  );
  return { here: { snapshots, refs: { main: oneOf(COMMITS, next) } }, agreed: new Map() };
}

function upload({ here, agreed }: Pod, written: NamedManifest[], objects: Listing): 'news' | 'no news' {
  const tree = local(here);
  const before = mergeTree(REPO, written);
  const value = nextManifest(before, { tree, files: manifestFiles(here) }, agreed, objects);
  const after = value === undefined ? before : mergeTree(REPO, [{ name: 'after', manifest: value }]);
  for (const [path, content] of tree.refs) if (after.refs.get(path) === content) agreed.set(path, content);
  if (value === undefined) return 'no news';
  written.push({ name: serializeManifest(value).name, manifest: value });
  return 'news';
}

function serialized(view: TreeView): string {
  return serializeManifest(manifestOf(view, view.generation, view.heads)).name;
}
