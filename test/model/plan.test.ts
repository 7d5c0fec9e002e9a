import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Catalog, CatalogTree } from '../../src/model/catalog.ts';
import type { LocalTree } from '../../src/model/inventory.ts';
import { planRestore, type Reason } from '../../src/model/plan.ts';
import type { Selection } from '../../src/model/selection.ts';
import {
  A,
  B,
  catalog,
  EVERYTHING,
  gitBlob,
  gitSha1,
  inSnapshot,
  inventory,
  lfsBlob,
  local,
  plainFile,
  reasons,
  ROOM,
  selection,
  sha256,
  TORCH,
  withFile,
  type Contents,
} from './builders.ts';

const WEIGHTS = lfsBlob('weights').path;
const LINK = inSnapshot(A, 'w.bin');
const MAIN = 'refs/main';
const WHOLE: Contents = { snapshots: { [A]: { 'w.bin': 'weights' } }, refs: { main: A } };
const OLD_AND_NEW: Contents = {
  snapshots: {
    [A]: { 'w.bin': 'weights', 'same.txt': 'same' },
    [B]: { 'w.bin': 'better', 'same.txt': 'same' },
  },
  refs: { main: B },
  retired: [A],
};
const BOTH: Contents = { snapshots: { [A]: { 'w.bin': 'weights', 'c.json': 'config' } }, refs: { main: A } };

interface Row {
  readonly name: string;
  readonly bucket: Contents;
  readonly here?: LocalTree;
  readonly wants?: Selection;
  readonly freeBytes?: number;
  readonly reasons: Readonly<Record<string, Reason>>;
}

describe('a restore', () => {
  const rows: readonly Row[] = [
    {
      name: 'onto an empty disk misses everything',
      bucket: WHOLE,
      reasons: { [WEIGHTS]: 'missing', [LINK]: 'missing', [MAIN]: 'missing' },
    },
    {
      name: 'finds what is here and was proved',
      bucket: WHOLE,
      here: local(WHOLE),
      reasons: { [WEIGHTS]: 'present', [LINK]: 'present', [MAIN]: 'present' },
    },
    {
      name: 'finds a blob that was proved by either of its names',
      bucket: { files: [gitBlob('c')] },
      here: withFile(local({ files: [gitBlob('c')] }), gitBlob('c').path, {
        digests: { gitSha1: gitSha1('c') },
      }),
      reasons: { [gitBlob('c').path]: 'present' },
    },
    {
      name: 'fetches a file of another size',
      bucket: WHOLE,
      here: withFile(local(WHOLE), WEIGHTS, { size: 3 }),
      reasons: { [WEIGHTS]: 'size-differs', [LINK]: 'present', [MAIN]: 'present' },
    },
    {
      name: 'fetches a file of other content',
      bucket: WHOLE,
      here: withFile(local(WHOLE), WEIGHTS, { digests: { sha256: sha256('damaged') } }),
      reasons: { [WEIGHTS]: 'digest-differs', [LINK]: 'present', [MAIN]: 'present' },
    },
    {
      name: 'does not believe a file that was not hashed',
      bucket: WHOLE,
      here: withFile(local(WHOLE), WEIGHTS, { digests: undefined }),
      reasons: { [WEIGHTS]: 'missing', [LINK]: 'present', [MAIN]: 'present' },
    },
    {
      name: 'leads a link again that leads elsewhere',
      bucket: WHOLE,
      here: local({ ...WHOLE, links: { [LINK]: `../../blobs/${sha256('other')}` } }),
      reasons: { [WEIGHTS]: 'present', [LINK]: 'missing', [MAIN]: 'present' },
    },
    {
      name: 'replaces a copy by a link',
      bucket: WHOLE,
      here: local({ files: [plainFile(LINK, 'weights')] }),
      reasons: { [WEIGHTS]: 'missing', [LINK]: 'missing', [MAIN]: 'missing' },
    },
    {
      name: 'leaves what only an old revision has, and takes what both have',
      bucket: OLD_AND_NEW,
      reasons: {
        [WEIGHTS]: 'old-revision',
        [lfsBlob('same').path]: 'missing',
        [lfsBlob('better').path]: 'missing',
        [LINK]: 'old-revision',
        [inSnapshot(A, 'same.txt')]: 'old-revision',
        [inSnapshot(B, 'w.bin')]: 'missing',
        [inSnapshot(B, 'same.txt')]: 'missing',
        [MAIN]: 'missing',
      },
    },
    {
      name: 'takes a commit that never had a ref',
      bucket: { snapshots: { [A]: { 'w.bin': 'weights' } } },
      reasons: { [WEIGHTS]: 'missing', [LINK]: 'missing' },
    },
    {
      name: 'takes a blob that no link leads to, when nothing was selected',
      bucket: { files: [lfsBlob('weights')] },
      reasons: { [WEIGHTS]: 'missing' },
    },
    {
      name: 'leaves a blob that no link leads to, when models were',
      bucket: { files: [lfsBlob('weights')] },
      wants: selection(['org/model']),
      reasons: { [WEIGHTS]: 'not-selected' },
    },
    {
      name: 'leaves what was excluded, and the ref that has nothing else',
      bucket: WHOLE,
      wants: selection([], ['*.bin']),
      reasons: { [WEIGHTS]: 'excluded', [LINK]: 'excluded', [MAIN]: 'not-selected' },
    },
    {
      name: 'leaves what was not selected, and the ref that has nothing else',
      bucket: WHOLE,
      wants: selection(['org/other']),
      reasons: { [WEIGHTS]: 'not-selected', [LINK]: 'not-selected', [MAIN]: 'not-selected' },
    },
    {
      name: 'takes the selected copies of a commit, and leaves the others',
      bucket: {
        files: [plainFile(LINK, 'weights'), plainFile(inSnapshot(A, 'c.json'), 'config')],
        refs: { main: A },
      },
      wants: selection(['org/model:*.json']),
      reasons: { [LINK]: 'not-selected', [inSnapshot(A, 'c.json')]: 'missing', [MAIN]: 'missing' },
    },
    {
      name: 'leaves a copy of an old revision',
      bucket: { files: [plainFile(LINK, 'weights')], retired: [A] },
      reasons: { [LINK]: 'old-revision' },
    },
    {
      name: 'leaves a file of a folder that was excluded',
      bucket: { tree: TORCH, files: [plainFile('vgg.pth', 'vgg'), plainFile('alex.pth', 'alex')] },
      wants: selection([], ['*/vgg*']),
      reasons: { 'vgg.pth': 'excluded', 'alex.pth': 'missing' },
    },
    {
      name: 'takes the selected part of a commit, and its ref',
      bucket: BOTH,
      wants: selection(['org/model:*.json']),
      reasons: {
        [WEIGHTS]: 'not-selected',
        [lfsBlob('config').path]: 'missing',
        [LINK]: 'not-selected',
        [inSnapshot(A, 'c.json')]: 'missing',
        [MAIN]: 'missing',
      },
    },
    {
      name: 'takes a blob for the one path of two that is not excluded',
      bucket: { snapshots: { [A]: { 'w.bin': 'weights', 'w.pt': 'weights' } } },
      wants: selection([], ['*.pt']),
      reasons: { [WEIGHTS]: 'missing', [LINK]: 'missing', [inSnapshot(A, 'w.pt')]: 'excluded' },
    },
    {
      name: 'takes an old revision that was asked for, without the ref that left it',
      bucket: OLD_AND_NEW,
      wants: selection([`org/model@${A}`]),
      reasons: {
        [WEIGHTS]: 'missing',
        [lfsBlob('same').path]: 'missing',
        [lfsBlob('better').path]: 'not-selected',
        [LINK]: 'missing',
        [inSnapshot(A, 'same.txt')]: 'missing',
        [inSnapshot(B, 'w.bin')]: 'not-selected',
        [inSnapshot(B, 'same.txt')]: 'not-selected',
        [MAIN]: 'not-selected',
      },
    },
    {
      name: 'is not begun without space for all of it',
      bucket: { ...WHOLE, files: [lfsBlob('here')] },
      here: local({ files: [lfsBlob('here')] }),
      freeBytes: 7,
      reasons: {
        [WEIGHTS]: 'no-space',
        [LINK]: 'no-space',
        [MAIN]: 'no-space',
        [lfsBlob('here').path]: 'present',
      },
    },
    {
      name: 'says what is unsafe',
      bucket: { tree: TORCH, files: [plainFile('../x', 'x')] },
      reasons: { '../x': 'unsafe-path' },
    },
    {
      name: 'leaves a link whose blob is nowhere',
      bucket: { links: { [LINK]: `../../${WEIGHTS}` }, refs: { main: A } },
      reasons: { [LINK]: 'unverified', [MAIN]: 'not-selected' },
    },
    {
      name: 'leaves a ref to a commit of which one link leads nowhere',
      bucket: {
        files: [lfsBlob('weights')],
        links: { [LINK]: `../../${WEIGHTS}`, [inSnapshot(A, 'gone.bin')]: `../../${lfsBlob('gone').path}` },
        refs: { main: A },
      },
      reasons: {
        [WEIGHTS]: 'missing',
        [LINK]: 'missing',
        [inSnapshot(A, 'gone.bin')]: 'unverified',
        [MAIN]: 'not-selected',
      },
    },
    {
      name: 'makes a link whose blob only this disk has',
      bucket: { links: { [LINK]: `../../${WEIGHTS}` } },
      here: local({ files: [lfsBlob('weights')] }),
      reasons: { [LINK]: 'missing' },
    },
  ];
  for (const { name, bucket, here, wants = EVERYTHING, freeBytes = Infinity, reasons: expected } of rows) {
    test(name, () => {
      const disk = inventory(...(here === undefined ? [] : [here]));
      assert.deepEqual(reasons(planRestore(catalog(bucket), disk, wants, { freeBytes })), expected);
    });
  }
});

describe('a ref to a commit of which one file has no checksum that vouches for it', () => {
  const whole = catalog(WHOLE);
  const refused = [{ path: inSnapshot(A, 'notes.md'), reason: 'unverified' as const }];
  const lacking: Catalog = { ...whole, trees: [{ ...whole.trees[0]!, refused }] };
  for (const [name, wants, reason] of [
    ['is not written', EVERYTHING, 'not-selected'],
    ['is, where that file is not wanted', selection([], ['*.md']), 'missing'],
    ['is, where it is not of what is wanted of the model', selection(['org/model@main:*.bin']), 'missing'],
  ] as const)
    test(name, () => {
      assert.equal(reasons(planRestore(lacking, inventory(), wants, ROOM))[MAIN], reason);
    });
});

describe('a bucket without manifests', () => {
  const file = { path: 'vgg.pth', size: 3, key: 'k', digests: undefined, executable: false };
  const tree: CatalogTree = { tree: TORCH, files: [], links: [], refs: [], retired: new Set(), refused: [] };

  test('leaves what nothing vouches for', () => {
    const left: Catalog = {
      source: 'listing',
      trees: [{ ...tree, refused: [{ path: 'vgg.pth', reason: 'unverified' }] }],
    };
    const plan = planRestore(left, inventory(), EVERYTHING, ROOM);
    assert.deepEqual([plan.source, reasons(plan)], ['listing', { 'vgg.pth': 'unverified' }]);
    assert.deepEqual(plan.fetch, { files: 0, bytes: 0 });
  });

  test('is compared by size where that was accepted', () => {
    const accepted: Catalog = { source: 'listing', trees: [{ ...tree, files: [file] }] };
    const reasonWith = (...here: readonly LocalTree[]): Reason | undefined =>
      reasons(planRestore(accepted, inventory(...here), EVERYTHING, ROOM))['vgg.pth'];
    const here = local({ tree: TORCH, files: [plainFile('vgg.pth', 'vgg')] });
    assert.equal(reasonWith(), 'missing');
    assert.equal(reasonWith(here), 'present');
    assert.equal(reasonWith(withFile(here, 'vgg.pth', { size: 2 })), 'size-differs');
  });
});
