import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutFiles } from '../../src/model/absent-files.ts';
import { planRestore } from '../../src/model/plan.ts';
import { A, B, catalog, EVERYTHING, inSnapshot, inventory, lfsBlob, REPO, ROOM } from './builders.ts';

const OTHER = 'hub/models--org--other';
const BUCKET = catalog(
  {
    tree: REPO,
    snapshots: { [A]: { 'w.bin': 'weights', 'c.json': 'config' }, [B]: { 'c.json': 'config' } },
    refs: { main: A, older: B },
  },
  { tree: OTHER, files: [lfsBlob('weights')] },
);

test('what is not there is refused, and a plan writes no ref to a commit that would lack it', () => {
  const absent = BUCKET.trees[0]?.files.filter(({ path }) => path === lfsBlob('weights').path) ?? [];
  const held = withoutFiles(BUCKET, new Set(absent));
  const [repo, other] = held.trees;
  assert.deepEqual(
    repo?.files.map(({ path }) => path),
    [lfsBlob('config').path],
  );
  assert.deepEqual(repo?.refused, [{ path: lfsBlob('weights').path, reason: 'unverified' }]);
  const { items } = planRestore(held, inventory(), EVERYTHING, ROOM);
  const refs = items.filter(({ kind }) => kind === 'ref').map(({ path, reason }) => [path, reason]);
  assert.deepEqual(refs, [
    ['refs/main', 'not-selected'],
    ['refs/older', 'missing'],
  ]);
  assert.ok(repo?.links.some(({ path }) => path === inSnapshot(A, 'c.json')));
  assert.equal(other, BUCKET.trees[1], 'the same path of another tree is another file');
});

test('when all is there, nothing changes', () => {
  assert.equal(withoutFiles(BUCKET, new Set()), BUCKET);
});
