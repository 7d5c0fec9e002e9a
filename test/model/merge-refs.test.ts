import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { catalogTree, currentCommits } from '../../src/model/catalog.ts';
import { mayRefMove, mergeTree } from '../../src/model/merge.ts';
import { A, B, C, manifest, REPO, type ManifestContents } from './builders.ts';

const README_ONLY = { 'README.md': 'new' };
const WHOLE = { 'w.bin': 'weights', 'README.md': 'old' };
const WHOLE_AGAIN = { 'w.bin': 'weights', 'README.md': 'new' };

interface Row {
  readonly name: string;
  /** From the lowest generation to the highest, none superseding another. */
  readonly heads: readonly ManifestContents[];
  readonly main: string | undefined;
  readonly retired?: readonly string[];
  /** Commits that a restore would want. */
  readonly wanted: readonly string[];
}

describe('a ref', () => {
  const rows: readonly Row[] = [
    {
      name: 'moves forward when the new commit has all that the old one has',
      heads: [
        { snapshots: { [A]: WHOLE }, refs: { main: A } },
        { snapshots: { [B]: WHOLE_AGAIN }, refs: { main: B } },
      ],
      main: B,
      retired: [A],
      wanted: [B],
    },
    {
      name: 'moves forth and back',
      heads: [
        { snapshots: { [A]: WHOLE }, refs: { main: A } },
        { snapshots: { [B]: WHOLE_AGAIN }, refs: { main: B }, retired: [A] },
        { refs: { main: A }, retired: [B] },
      ],
      main: A,
      retired: [B],
      wanted: [A],
    },
    {
      name: 'returns to a commit that it had left',
      heads: [
        { snapshots: { [A]: WHOLE, [B]: WHOLE_AGAIN }, refs: { main: B }, retired: [A] },
        { snapshots: { [A]: WHOLE }, refs: { main: A } },
      ],
      main: A,
      retired: [B],
      wanted: [A],
    },
    {
      name: 'stays when the new commit has only a README, and both commits stay wanted',
      heads: [
        { snapshots: { [A]: WHOLE }, refs: { main: A } },
        { snapshots: { [B]: README_ONLY }, refs: { main: B } },
      ],
      main: A,
      wanted: [A, B],
    },
    {
      name: 'stays when the new commit has other files, and both commits stay wanted',
      heads: [
        { snapshots: { [A]: { 'w.bin': 'weights' } }, refs: { main: A } },
        { snapshots: { [B]: { 'w2.bin': 'weights 2', 'README.md': 'new' } }, refs: { main: B } },
      ],
      main: A,
      wanted: [A, B],
    },
    {
      name: 'moves when another head has the rest of the new commit',
      heads: [
        { snapshots: { [A]: WHOLE }, refs: { main: A } },
        { snapshots: { [B]: { 'w.bin': 'weights' } } },
        { snapshots: { [B]: README_ONLY }, refs: { main: B } },
      ],
      main: B,
      retired: [A],
      wanted: [B],
    },
    {
      name: 'stays when another head has more of the old commit',
      heads: [
        { snapshots: { [A]: WHOLE }, refs: { main: A } },
        { snapshots: { [A]: { 'vocab.txt': 'abc' } } },
        { snapshots: { [B]: WHOLE_AGAIN }, refs: { main: B } },
      ],
      main: A,
      wanted: [A, B],
    },
    {
      name: 'takes a commit that waits out of retirement',
      heads: [
        { snapshots: { [A]: WHOLE }, refs: { main: A }, retired: [B] },
        { snapshots: { [B]: README_ONLY }, refs: { main: B } },
      ],
      main: A,
      wanted: [A, B],
    },
    {
      name: 'moves on past a commit that waited, and leaves that one too',
      heads: [
        { snapshots: { [A]: WHOLE }, refs: { main: A } },
        { snapshots: { [B]: README_ONLY }, refs: { main: B } },
        { snapshots: { [C]: WHOLE_AGAIN }, refs: { main: C } },
      ],
      main: C,
      retired: [A, B],
      wanted: [C],
    },
    {
      name: 'moves on past a commit that waited, which stays wanted for the file that only it has',
      heads: [
        { snapshots: { [A]: { 'w.bin': 'weights' } }, refs: { main: A } },
        { snapshots: { [B]: { 'w2.bin': 'weights 2' } }, refs: { main: B } },
        { snapshots: { [C]: WHOLE_AGAIN }, refs: { main: C } },
      ],
      main: C,
      retired: [A],
      wanted: [B, C],
    },
    {
      name: 'does not move to a commit that has nothing',
      heads: [{ snapshots: { [A]: WHOLE }, refs: { main: A } }, { refs: { main: B } }],
      main: A,
      wanted: [A],
    },
    {
      name: 'leaves a commit that has nothing',
      heads: [{ refs: { main: A } }, { snapshots: { [B]: README_ONLY }, refs: { main: B } }],
      main: B,
      retired: [A],
      wanted: [B],
    },
    {
      name: 'that never was leaves a pinned commit wanted',
      heads: [{ snapshots: { [A]: WHOLE } }],
      main: undefined,
      wanted: [A],
    },
    {
      name: 'does not make a commit beside it old',
      heads: [{ snapshots: { [A]: WHOLE, [B]: README_ONLY }, refs: { main: A } }],
      main: A,
      wanted: [A, B],
    },
    {
      name: 'that has left a commit keeps it old',
      heads: [{ snapshots: { [A]: WHOLE, [B]: WHOLE_AGAIN }, refs: { main: B }, retired: [A] }],
      main: B,
      retired: [A],
      wanted: [B],
    },
    {
      name: 'leaves a commit that another ref still has: it stays wanted',
      heads: [
        { snapshots: { [A]: WHOLE }, refs: { main: A, 'v1.0': A } },
        { snapshots: { [B]: WHOLE_AGAIN }, refs: { main: B } },
      ],
      main: B,
      wanted: [A, B],
    },
  ];
  for (const { name, heads, main, retired = [], wanted } of rows) {
    test(name, () => {
      const merged = mergeTree(REPO, generations(heads));
      assert.equal(merged.refs.get('refs/main'), main);
      assert.deepEqual([...merged.retired].toSorted(), [...retired]);
      assert.deepEqual([...currentCommits(catalogTree(merged))].toSorted(), [...wanted]);
    });
  }

  test('is spelled as the higher generation spells it', () => {
    const heads = [`${A}\n`, A].map((main) => ({ snapshots: { [A]: WHOLE }, refs: { main } }));
    assert.equal(mergeTree(REPO, generations(heads)).refs.get('refs/main'), A);
  });

  test('of two heads that disagree goes to the higher name, when the generations are the same', () => {
    const heads = [A, B].map((main) =>
      manifest({ snapshots: { [A]: WHOLE, [B]: WHOLE_AGAIN }, refs: { main } }),
    );
    const higher = heads.toSorted((a, b) => (a.name < b.name ? -1 : 1))[1];
    for (const order of [heads, heads.toReversed()])
      assert.equal(mergeTree(REPO, order).refs.get('refs/main'), higher?.manifest.refs[0]?.content);
  });
});

test('a ref may move to a commit that has every file of the one it leaves', () => {
  const [few, many, other] = [new Set(['a']), new Set(['a', 'b']), new Set(['b', 'c'])];
  assert.equal(mayRefMove(few, many), true);
  assert.equal(mayRefMove(many, new Set(many)), true);
  assert.equal(mayRefMove(many, few), false);
  assert.equal(mayRefMove(few, other), false);
  assert.equal(mayRefMove(undefined, few), true);
  assert.equal(mayRefMove(few, undefined), false);
  assert.equal(mayRefMove(undefined, new Set()), false);
});

function generations(heads: readonly ManifestContents[]): ReturnType<typeof manifest>[] {
  return heads.map((contents, index) => manifest({ ...contents, generation: index + 1 }));
}
