import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldersToList } from '../../src/model/seeing.ts';

const keys = (folder: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${folder}/${index}`);
const bucket = (names: readonly string[]): ReadonlyMap<string, number> =>
  new Map(names.map((key) => [key, 1]));

for (const [what, sent, before, wanted] of [
  ['few objects are asked for', keys('hub/a/blobs', 8), [], []],
  ['many in one folder are listed', keys('hub/a/blobs', 9), [], ['hub/a/blobs/']],
  ['few among very many are asked for', keys('data', 20), keys('data', 5000), []],
  ['many among very many are listed', keys('data', 100), keys('data', 5000), ['data/']],
  ['what other folders hold costs nothing', keys('a', 9), keys('b', 100_000), ['a/']],
  [
    'each folder is decided for itself',
    [...keys('a', 3), ...keys('b', 20), ...keys('c', 2000)],
    [],
    ['b/', 'c/'],
  ],
  ['nothing that was sent is nothing to list', [], keys('a', 10), []],
] as const) {
  test(what, () => {
    assert.deepEqual(foldersToList(sent, bucket(before)), wanted);
  });
}
