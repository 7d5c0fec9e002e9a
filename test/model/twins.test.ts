import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NameFolding } from '../../src/model/name-folding.ts';
import { withoutTwins } from '../../src/model/twins.ts';
import { A, catalog, inSnapshot, lfsBlob, plainFile, REPO, TORCH, type Contents } from './builders.ts';

const NONE: NameFolding = { ofCase: false, ofForm: false };
const CASE: NameFolding = { ofCase: true, ofForm: false };
const FORM: NameFolding = { ofCase: false, ofForm: true };
const OTHER = 'hub/models--Org--Model';

function refused(folding: NameFolding, ...contents: readonly Contents[]): readonly string[] {
  return withoutTwins(catalog(...contents), folding).trees.flatMap((tree) =>
    tree.refused.map(({ path }) => `${tree.tree}/${path}`),
  );
}

describe('the later of two names that a file system takes for one is refused', () => {
  const rows: readonly {
    name: string;
    folding: NameFolding;
    contents: readonly Contents[];
    twins: readonly string[];
  }[] = [
    {
      name: 'of two files, by case',
      folding: CASE,
      contents: [{ tree: TORCH, files: [plainFile('Net.pt', 'x'), plainFile('net.pt', 'y')] }],
      twins: [`${TORCH}/net.pt`],
    },
    {
      name: 'of two files, by form',
      folding: FORM,
      contents: [{ tree: TORCH, files: [plainFile('\u00e9.pt', 'x'), plainFile('e\u0301.pt', 'y')] }],
      twins: [`${TORCH}/e\u0301.pt`],
    },
    {
      name: 'of a letter that only capitals have in common',
      folding: CASE,
      contents: [{ tree: TORCH, files: [plainFile('straße', 'x'), plainFile('STRASSE', 'y')] }],
      twins: [`${TORCH}/STRASSE`],
    },
    {
      name: 'of two links of a snapshot, and both blobs stay',
      folding: CASE,
      contents: [{ snapshots: { [A]: { 'README.md': 'one', 'readme.md': 'other' } } }],
      twins: [`${REPO}/${inSnapshot(A, 'readme.md')}`],
    },
    {
      name: 'of a file and the folder of another',
      folding: CASE,
      contents: [{ tree: TORCH, files: [plainFile('sub/x', 'x'), plainFile('SUB', 'y')] }],
      twins: [`${TORCH}/SUB`],
    },
    {
      name: 'of refs of two repos, whichever came first',
      folding: CASE,
      contents: [
        { tree: REPO, files: [lfsBlob('x')], refs: { main: A } },
        { tree: OTHER, files: [lfsBlob('y')], refs: { main: A } },
      ],
      twins: [`${REPO}/refs/main`],
    },
    {
      name: 'and not of two files in folders that are one',
      folding: CASE,
      contents: [{ tree: TORCH, files: [plainFile('Sub/x', 'x'), plainFile('sub/y', 'y')] }],
      twins: [],
    },
    {
      name: 'and not where names differ in what is not folded',
      folding: FORM,
      contents: [{ tree: TORCH, files: [plainFile('Net.pt', 'x'), plainFile('net.pt', 'y')] }],
      twins: [],
    },
  ];
  for (const { name, folding, contents, twins } of rows) {
    test(name, () => {
      assert.deepEqual(refused(folding, ...contents), twins);
      assert.deepEqual(refused(NONE, ...contents), []);
    });
  }
});
