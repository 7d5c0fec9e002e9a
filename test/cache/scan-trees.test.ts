import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { isAllowedTree, isRepoTree, TORCH_CHECKPOINTS, treeOfRepoFolder } from '../../src/model/tree.ts';
import { CacheDir } from './cache-dir.ts';

const ALSO = 'engines/trt';
const RUNS = { seed: 5, numRuns: 300 } as const;

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const repo = fc.constantFrom(
  'models--a--b',
  'models--a--b.partial',
  'models--a--b.lock',
  'models--a--b.tmp',
  'models--org--gpt.shared',
  'models--a--b.key',
  'models--a\nb',
  'models--a\\b',
  'datasets--a--b',
  'models--',
);
const above = fc.constantFrom(
  'hub',
  'torch',
  'torch/hub',
  TORCH_CHECKPOINTS,
  'engines',
  ALSO,
  `${ALSO}x`,
  'Engines',
  'mine',
  'blobs',
  'tmp_x',
  'x.lock',
  'x.TMP',
  'token',
  'Token',
  '.env',
  'version.txt',
  'CACHEDIR.TAG',
  'trusted_list',
  '.locks',
  '.Model-Cache',
  'xet',
  'XET',
  'modules',
  'sandbox',
  'lost+found',
  'models--c--d',
  'a\\b',
  'snapshots',
  '\u00e9',
);
const place = fc
  .tuple(fc.array(above, { maxLength: 3 }), repo)
  .map(([folders, name]) => [...folders, name].join('/'));

test('a scan finds as a repo what a bucket may name as one, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(place, async (path) => {
      const dir = new CacheDir(scratch.path);
      dir.repo(path);
      const tree = treeOfRepoFolder(path);
      const isAllowed = isRepoTree(path) && isAllowedTree(tree, [ALSO]);
      const found = (await dir.scan({ also: [ALSO] })).trees.filter((each) => isRepoTree(each.tree));
      assert.deepEqual(
        found.map((each) => [each.tree, each.root]),
        isAllowed ? [[tree, path]] : [],
      );
      rmSync(dir.path, { recursive: true });
    }),
    RUNS,
  );
});

for (const name of ['a--b.partial', 'a--b.lock', 'a--b.tmp', 'org--gpt.shared', 'a--b.key']) {
  test(`models--${name} is a repo, whatever its name looks like`, async () => {
    const dir = new CacheDir(scratch.path);
    dir.repo(`hub/models--${name}`);
    assert.deepEqual(
      (await dir.scan()).trees.map(({ tree }) => tree),
      [`hub/models--${name}`],
    );
  });
}

test('a repo whose name no object can have is told', async () => {
  const dir = new CacheDir(scratch.path);
  dir.repo('hub/models--a\\b');
  const { trees, skipped } = await dir.scan();
  assert.deepEqual(trees, []);
  assert.deepEqual(skipped, [{ path: 'hub/models--a\\b', why: 'no object can have such a name' }]);
});
