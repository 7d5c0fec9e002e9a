import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compareTrees, type TreeComparison } from '../../src/model/compare.ts';
import type { LocalTree } from '../../src/model/inventory.ts';
import {
  A,
  B,
  catalog,
  inventory,
  lfsBlob,
  local,
  plainFile,
  REPO,
  TORCH,
  withFile,
  type Contents,
} from './builders.ts';

const BOTH = { snapshots: { [A]: { 'w.bin': 'weights', 'c.json': 'config' } }, refs: { main: A } };
const NONE = { files: 0, bytes: 0 };
const WEIGHTS = { files: 1, bytes: 7 };
const CONFIG = { files: 1, bytes: 6 };
const ALL = { files: 2, bytes: 13 };

describe('a tree', () => {
  const rows: readonly (Omit<TreeComparison, 'tree'> & {
    readonly name: string;
    readonly bucket: readonly Contents[];
    readonly disk: readonly LocalTree[];
  })[] = [
    {
      name: 'that both sides have differs in nothing',
      bucket: [BOTH],
      disk: [local(BOTH)],
      here: ALL,
      inBucket: ALL,
      missingHere: NONE,
      missingInBucket: NONE,
      differingNames: 0,
    },
    {
      name: 'that only the bucket has is missing here',
      bucket: [BOTH],
      disk: [],
      here: NONE,
      inBucket: ALL,
      missingHere: ALL,
      missingInBucket: NONE,
      differingNames: 3,
    },
    {
      name: 'that only the disk has is missing in the bucket',
      bucket: [],
      disk: [local(BOTH)],
      here: ALL,
      inBucket: NONE,
      missingHere: NONE,
      missingInBucket: ALL,
      differingNames: 3,
    },
    {
      name: 'of which each side has a part is missing on both',
      bucket: [{ files: [lfsBlob('weights')] }],
      disk: [local({ files: [lfsBlob('config')] })],
      here: CONFIG,
      inBucket: WEIGHTS,
      missingHere: WEIGHTS,
      missingInBucket: CONFIG,
      differingNames: 0,
    },
    {
      name: 'with a file of another size is missing that file on both sides, each in its own size',
      bucket: [{ files: [lfsBlob('weights')] }],
      disk: [withFile(local({ files: [lfsBlob('weights')] }), lfsBlob('weights').path, { size: 3 })],
      here: { files: 1, bytes: 3 },
      inBucket: WEIGHTS,
      missingHere: WEIGHTS,
      missingInBucket: { files: 1, bytes: 3 },
      differingNames: 0,
    },
    {
      name: 'whose blobs are here without their links, and without a ref, differs in these names',
      bucket: [BOTH],
      disk: [local({ ...BOTH, snapshots: {}, refs: {}, files: [lfsBlob('weights'), lfsBlob('config')] })],
      here: ALL,
      inBucket: ALL,
      missingHere: NONE,
      missingInBucket: NONE,
      differingNames: 3,
    },
    {
      name: 'does not miss a revision that a ref has left',
      bucket: [
        {
          snapshots: { [A]: { 'w.bin': 'old' }, [B]: { 'w.bin': 'weights' } },
          refs: { main: B },
          retired: [A],
        },
      ],
      disk: [local({ snapshots: { [B]: { 'w.bin': 'weights' } }, refs: { main: B } })],
      here: WEIGHTS,
      inBucket: { files: 2, bytes: 10 },
      missingHere: NONE,
      missingInBucket: NONE,
      differingNames: 0,
    },
  ];
  for (const { name, bucket, disk, ...counts } of rows) {
    test(name, () => {
      assert.deepEqual(compareTrees(catalog(...bucket), inventory(...disk)), [{ tree: REPO, ...counts }]);
    });
  }
});

test('all trees of both sides are compared, in the order of their names', () => {
  const torch = { tree: TORCH, files: [plainFile('vgg.pth', 'vgg')] };
  const trees = compareTrees(catalog(torch, BOTH), inventory(local({ ...BOTH, tree: 'hub/models--a--b' })));
  assert.deepEqual(
    trees.map(({ tree }) => tree),
    ['hub/models--a--b', REPO, TORCH],
  );
  assert.deepEqual(compareTrees(catalog(), inventory()), []);
});
