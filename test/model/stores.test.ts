import assert from 'node:assert/strict';
import { test } from 'node:test';
import { besideStores } from '../../src/model/stores.ts';
import { catalog, plainFile, REPO } from './builders.ts';

const files = [plainFile('a', 'a')];
const treesBeside = (stores: readonly string[], ...trees: readonly string[]): readonly string[] =>
  besideStores(catalog(...trees.map((tree) => ({ tree, files }))), stores).trees.map(({ tree }) => tree);

test('no tree is restored into a store, nor in the place of one', () => {
  const trees = ['old', `old/${REPO}`, `volume/store/${REPO}`];
  assert.deepEqual(treesBeside(['old', 'volume/store'], ...trees), []);
  assert.deepEqual(treesBeside(['OLD', 'volume/Store'], ...trees), []);
});

test('what lies beside a store is', () => {
  const trees = [REPO, `older/${REPO}`, `volume/${REPO}`];
  assert.deepEqual(treesBeside(['old', 'volume/store'], ...trees), trees);
  assert.deepEqual(treesBeside([], ...trees), trees);
});

test('of a folder that a store lies in, what would lie in the store is not, nor what leads there', () => {
  const [engines] = besideStores(
    {
      source: 'manifests',
      trees: [
        {
          ...(catalog({ tree: 'engines', files: [plainFile('a', 'a'), plainFile('store/b', 'b')] })
            .trees[0] ?? assert.fail()),
          links: [
            { path: 'c', target: 'a', to: 'a' },
            { path: 'd', target: 'store/b', to: 'store/b' },
          ],
        },
      ],
    },
    ['engines/store'],
  ).trees;
  assert.deepEqual(
    [engines?.files, engines?.links].map((entries) => entries?.map(({ path }) => path)),
    [['a'], ['c']],
  );
});
