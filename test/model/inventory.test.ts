import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localTree } from '../../src/model/inventory.ts';
import { inventory, local, REPO, TORCH } from './builders.ts';

test('a tree of the disk is found by its name, wherever it is', () => {
  const below = { ...local({ tree: REPO }), root: 'models--org--model' };
  const disk = inventory(local({ tree: TORCH }), below);
  assert.equal(localTree(disk, REPO), below);
  assert.equal(localTree(disk, 'models--org--model'), undefined);
  assert.equal(localTree(inventory(), REPO), undefined);
});
