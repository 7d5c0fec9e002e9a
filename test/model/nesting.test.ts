import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { misplacedPaths } from '../../src/model/nesting.ts';

interface Row {
  readonly name: string;
  readonly files?: readonly string[];
  readonly links?: readonly string[];
  readonly refs?: readonly string[];
  readonly misplaced: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: 'nothing', misplaced: [] },
  { name: 'neighbours', files: ['a/b', 'a/c', 'a.b', 'a-b', 'ab'], links: ['a/d'], misplaced: [] },
  { name: 'a file below a file', files: ['a', 'a/b', 'a/b/c', 'a.b'], misplaced: ['a/b', 'a/b/c'] },
  { name: 'a link below a file', files: ['a'], links: ['a/b'], misplaced: ['a/b'] },
  { name: 'a file below a link: the link gives way', files: ['a/b'], links: ['a'], misplaced: ['a'] },
  { name: 'a link below a link', links: ['a', 'a/b'], misplaced: ['a/b'] },
  {
    name: 'a link that gave way leaves its place to the links below',
    files: ['a/b'],
    links: ['a', 'a/c', 'a/c/d'],
    misplaced: ['a', 'a/c/d'],
  },
  {
    name: 'links in links above one file',
    files: ['a/b/c/d'],
    links: ['a', 'a/b', 'a/b/c'],
    misplaced: ['a', 'a/b', 'a/b/c'],
  },
  {
    name: 'a ref below a ref',
    refs: ['refs/main', 'refs/main/x', 'refs/main.x'],
    misplaced: ['refs/main/x'],
  },
  {
    name: 'names that sort between a folder and what is in it',
    files: ['a', 'a b', 'a!', 'a-b/c', 'a/z'],
    misplaced: ['a/z'],
  },
];

describe('of paths that cannot be there together, misplaced are', () => {
  for (const { name, files = [], links = [], refs = [], misplaced } of ROWS) {
    test(name, () => {
      assert.deepEqual([...misplacedPaths({ files, links, refs })].toSorted(), misplaced);
      const reversed = {
        files: files.toReversed(),
        links: links.toReversed(),
        refs: refs.toReversed(),
      };
      assert.deepEqual([...misplacedPaths(reversed)].toSorted(), misplaced, 'in whatever order they come');
    });
  }
});

test('nothing is misplaced where no path is below another, and something where one is', () => {
  const path = fc.array(fc.constantFrom('a', 'b', 'a.b', 'é'), { minLength: 1, maxLength: 4 });
  const paths = fc.uniqueArray(
    path.map((names) => names.join('/')),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(paths, fc.nat(8), (all, split) => {
      const isAnyBelow = all.some((one) => all.some((other) => one.startsWith(`${other}/`)));
      const misplaced = misplacedPaths({ files: all.slice(0, split), links: all.slice(split), refs: [] });
      assert.equal(misplaced.size > 0, isAnyBelow);
    }),
    { numRuns: 1000 },
  );
});
