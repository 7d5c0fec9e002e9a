import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Listing } from '../../src/model/bucket.ts';
import { isCommit } from '../../src/model/digest.ts';
import type { Manifest, NamedManifest } from '../../src/model/manifest.ts';
import { mergeTree } from '../../src/model/merge.ts';
import { nextManifest } from '../../src/model/upload-plan.ts';
import {
  A,
  B,
  inSnapshot,
  lfsBlob,
  listing,
  local,
  manifest,
  manifestFiles,
  plainFile,
  REPO,
  sha256,
  TORCH,
  type Contents,
} from './builders.ts';

const WHOLE = { 'w.bin': 'weights', 'README.md': 'old' };
const WHOLE_AGAIN = { 'w.bin': 'weights', 'README.md': 'new' };
const AT_A: Contents = { snapshots: { [A]: WHOLE }, refs: { main: A } };
const AT_B: Contents = { snapshots: { [B]: WHOLE_AGAIN }, refs: { main: B } };
const MOVED_TO_B: Contents = { snapshots: { [A]: WHOLE, [B]: WHOLE_AGAIN }, refs: { main: B }, retired: [A] };

interface Upload {
  readonly here: Contents;
  /** What the dir and the bucket last agreed on. */
  readonly agreed?: string;
  /** Objects; by default the bucket has everything that either side speaks of. */
  readonly objects?: Listing;
}

function next(bucket: readonly NamedManifest[], { here, agreed, objects }: Upload): Manifest | undefined {
  const tree = here.tree ?? REPO;
  const everything = listing(here, ...bucket.map((one) => ({ tree, files: one.manifest.files })));
  return nextManifest(
    bucket.length === 0 ? undefined : mergeTree(tree, bucket),
    { tree: local(here), files: manifestFiles(here) },
    new Map(agreed === undefined ? [] : [['refs/main', agreed]]),
    objects ?? everything,
  );
}

function mainOf(written: Manifest | undefined): string | undefined {
  return written?.refs.find(({ path }) => path === 'refs/main')?.content;
}

function pathsOf(written: Manifest | undefined): readonly string[] {
  return [...(written?.files ?? []), ...(written?.links ?? [])].map(({ path }) => path).toSorted();
}

describe('the next manifest', () => {
  test('is the first, of a bucket that has none', () => {
    const written = next([], { here: AT_A });
    const { manifest: expected } = manifest(AT_A);
    assert.deepEqual(
      { ...written, files: byPath(written?.files), links: byPath(written?.links) },
      {
        ...expected,
        files: byPath(expected.files),
        links: byPath(expected.links),
      },
    );
  });

  test('says what is new beside what was there, and supersedes it', () => {
    const before = manifest({ ...AT_A, generation: 4 });
    const written = next([before], {
      here: { snapshots: { [A]: { ...WHOLE, 'vocab.txt': 'abc' } }, refs: { main: A } },
    });
    assert.deepEqual([written?.generation, written?.supersedes], [5, [before.name]]);
    assert.ok(pathsOf(written).includes(inSnapshot(A, 'vocab.txt')));
    assert.ok(pathsOf(before.manifest).every((path) => pathsOf(written).includes(path)));
  });

  describe('is not written without news', () => {
    const whole = manifest(AT_A);
    const parts = { algorithm: 'blake9-tree', size: 8, digests: ['x'] };
    const rows: readonly { name: string; bucket: readonly NamedManifest[]; upload: Upload }[] = [
      { name: 'when both say the same', bucket: [whole], upload: { here: AT_A } },
      {
        name: 'when this disk has less',
        bucket: [whole],
        upload: { here: { snapshots: { [A]: { 'w.bin': 'weights' } } } },
      },
      { name: 'when this disk has nothing, nor the bucket', bucket: [], upload: { here: {} } },
      { name: 'when this disk has only a ref', bucket: [], upload: { here: { refs: { main: A } } } },
      {
        name: 'when this disk still has a commit that the ref has left',
        bucket: [manifest(MOVED_TO_B)],
        upload: { here: AT_A, agreed: A },
      },
      {
        name: 'when this disk has a copy where the bucket has a link to the same bytes',
        bucket: [whole],
        upload: { here: { files: [plainFile(inSnapshot(A, 'w.bin'), 'weights')] } },
      },
      {
        name: 'when the bucket knows the parts of the same bytes',
        bucket: [manifest({ files: [{ ...lfsBlob('weights'), parts }] })],
        upload: { here: { files: [lfsBlob('weights')] } },
      },
    ];
    for (const { name, bucket, upload } of rows)
      test(name, () => assert.equal(next(bucket, upload), undefined));
  });

  describe('with the digests of parts that are known here', () => {
    const parts = { algorithm: 'blake3', size: 8, digests: ['d'.repeat(64)] };
    const here = { files: [{ ...lfsBlob('weights'), parts }] };
    const partsOf = (written: Manifest | undefined): unknown =>
      written?.files.find(({ path }) => path === lfsBlob('weights').path)?.parts;

    test('is not written for them alone', () => {
      const plain = manifest({ files: [lfsBlob('weights')] });
      assert.equal(next([plain], { here }), undefined);
    });

    test('has them when it is written anyway', () => {
      const plain = manifest({ files: [lfsBlob('weights')] });
      const news = { files: [...here.files, lfsBlob('more')] };
      assert.deepEqual(partsOf(next([plain], { here: news })), parts);
      assert.deepEqual(partsOf(next([], { here })), parts);
    });

    test('keeps those that only the bucket knows', () => {
      const known = manifest(here);
      const written = next([known], { here: { files: [lfsBlob('weights'), lfsBlob('more')] } });
      assert.deepEqual(partsOf(written), parts);
    });
  });

  test('merges two heads, even without news', () => {
    const heads = [manifest(AT_A), manifest({ snapshots: { [A]: { 'vocab.txt': 'abc' } } })];
    const written = next(heads, { here: AT_A });
    assert.deepEqual(written?.supersedes.toSorted(), heads.map(({ name }) => name).toSorted());
    assert.equal(written?.generation, 2);
    assert.ok(pathsOf(written).includes(inSnapshot(A, 'vocab.txt')));
  });

  test('has a link where the bucket had a copy', () => {
    const path = inSnapshot(A, 'w.bin');
    const written = next([manifest({ files: [plainFile(path, 'weights')] })], { here: AT_A });
    assert.ok(written !== undefined);
    assert.ok(written.links.some((link) => link.path === path));
    assert.ok(!written.files.some((file) => file.path === path));
  });

  test('supersedes heads only', () => {
    const first = manifest(AT_A);
    const second = manifest({ ...MOVED_TO_B, generation: 2, supersedes: [first] });
    const written = next([first, second], { here: { files: [lfsBlob('more')] } });
    assert.deepEqual([written?.generation, written?.supersedes], [3, [second.name]]);
  });
});

describe('a ref', () => {
  const rows: readonly {
    name: string;
    bucket: Contents;
    upload: Upload;
    main: string | undefined;
    retired?: readonly string[];
  }[] = [
    { name: 'moves with the server', bucket: AT_A, upload: { here: AT_B, agreed: A }, main: B, retired: [A] },
    {
      name: 'moves with a server that never agreed on any',
      bucket: AT_A,
      upload: { here: AT_B },
      main: B,
      retired: [A],
    },
    {
      name: 'moves back with the server',
      bucket: MOVED_TO_B,
      upload: { here: AT_A, agreed: B },
      main: A,
      retired: [B],
    },
    {
      name: 'that this disk has not moved since does not move the one of the bucket back',
      bucket: MOVED_TO_B,
      upload: {
        here: { snapshots: { [A]: { ...WHOLE, 'vocab.txt': 'abc' } }, refs: { main: A } },
        agreed: A,
      },
      main: B,
      retired: [A],
    },
    {
      name: 'stays when a README was edited and the server killed',
      bucket: AT_A,
      upload: { here: { snapshots: { [B]: { 'README.md': 'new' } }, refs: { main: B } }, agreed: A },
      main: A,
    },
    {
      name: 'that had to stay moves when the server has come to the rest of its commit',
      bucket: { snapshots: { [A]: WHOLE, [B]: { 'README.md': 'new' } }, refs: { main: A } },
      upload: { here: AT_B, agreed: A },
      main: B,
      retired: [A],
    },
    {
      name: 'that the bucket lacks is added, though it was agreed on',
      bucket: { snapshots: AT_A.snapshots ?? {} },
      upload: { here: AT_A, agreed: A },
      main: A,
    },
    {
      name: 'without files of its commit is not published',
      bucket: {},
      upload: { here: { files: [lfsBlob('weights')], refs: { main: A } } },
      main: undefined,
    },
    {
      name: 'without files of its commit does not replace one that has',
      bucket: AT_A,
      upload: { here: { files: [lfsBlob('more')], refs: { main: B } } },
      main: A,
    },
  ];
  for (const { name, bucket, upload, main, retired = [] } of rows) {
    test(name, () => {
      const written = next([manifest(bucket)], upload);
      assert.ok(written !== undefined);
      assert.equal(mainOf(written), main);
      assert.deepEqual(written.retired, retired);
    });
  }

  test('of a file whose link leads to nothing known is not published', () => {
    const links = { [inSnapshot(A, 'w.bin')]: `../../${lfsBlob('gone').path}` };
    const written = next([], { here: { files: [lfsBlob('weights')], links, refs: { main: A } } });
    assert.deepEqual([written?.links, written?.refs], [[], []]);
  });

  test('that got a newline on this disk is not published with it', () => {
    const written = next([], { here: { ...AT_A, refs: { main: `${A}\n` } } });
    assert.ok(written?.refs.every(({ content }) => isCommit(content)));
  });

  test('that has a newline in the bucket is mended by a disk that has none', () => {
    const written = next([manifest({ ...AT_A, refs: { main: `${A}\n` } })], { here: AT_A });
    assert.equal(mainOf(written), A);
  });
});

describe('what is lost from the bucket', () => {
  const bucket = manifest(AT_A);
  const weights = lfsBlob('weights');
  const without = (key: string, size?: number): Listing => {
    const objects = new Map(listing(AT_A));
    objects.delete(key);
    return size === undefined ? objects : objects.set(key, size);
  };

  test('is not promised again, nor what leads to it', () => {
    const here = { files: [lfsBlob('old')] };
    const written = next([bucket], { here, objects: without(`${REPO}/${weights.path}`) });
    assert.deepEqual(pathsOf(written), [lfsBlob('old').path, inSnapshot(A, 'README.md')]);
  });

  test('is not promised when it has another size', () => {
    const here = { files: [lfsBlob('old')] };
    const written = next([bucket], { here, objects: without(`${REPO}/${weights.path}`, 3) });
    assert.ok(!pathsOf(written).includes(weights.path));
  });

  test('is not promised when it is doomed', () => {
    const doomed = new Map([...listing(AT_A), [`.model-cache/v1/doomed/${REPO}/${weights.path}`, 0]]);
    const written = next([bucket], { here: { files: [lfsBlob('old')] }, objects: doomed });
    assert.ok(written !== undefined && !pathsOf(written).includes(weights.path));
  });

  test('is promised again by a disk that has sent it', () => {
    assert.equal(next([bucket], { here: AT_A, objects: listing(AT_A) }), undefined);
  });

  test('lets a ref go to a commit that is whole', () => {
    const old = manifest({ snapshots: { [A]: { 'a.bin': 'a' } }, refs: { main: A } });
    const written = next([old], { here: AT_B, objects: listing(AT_B) });
    assert.equal(mainOf(written), B);
  });
});

describe('a link', () => {
  const blob = lfsBlob('weights');
  const path = inSnapshot(A, 'sub/w.bin');

  function published(target: string, to: string | undefined): string | undefined {
    const tree = { ...local({ files: [blob] }), links: new Map([[path, { path, target, to }]]) };
    const written = nextManifest(undefined, { tree, files: [blob] }, new Map(), listing({ files: [blob] }));
    return written?.links[0]?.target;
  }

  test('is published as it is', () =>
    assert.equal(published(`../../../${blob.path}`, blob.path), `../../../${blob.path}`));

  test('that is absolute is published as a relative one', () =>
    assert.equal(published(`/cache/${REPO}/${blob.path}`, blob.path), `../../../${blob.path}`));

  test('that leaves the tree is not published', () =>
    assert.equal(published('/etc/passwd', undefined), undefined));

  test('to a blob that is not in the bucket is not published', () =>
    assert.equal(published(`../../../blobs/${sha256('x')}`, `blobs/${sha256('x')}`), undefined));
});

test('a folder is published with its files, and no refs', () => {
  const written = next([], {
    here: { tree: TORCH, files: [{ ...plainFile('run', '#!'), executable: true }] },
  });
  assert.deepEqual(written?.files, [{ ...plainFile('run', '#!'), executable: true }]);
  assert.deepEqual([written?.tree, written?.refs], [TORCH, []]);
});

function byPath<T extends { readonly path: string }>(items: readonly T[] = []): readonly T[] {
  return items.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
