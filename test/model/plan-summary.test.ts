import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { filesToProve, isFetchReason, planRestore, type RestorePlan } from '../../src/model/plan.ts';
import { displayName } from '../../src/model/tree.ts';
import {
  A,
  catalog,
  EVERYTHING,
  inSnapshot,
  inventory,
  lfsBlob,
  local,
  plainFile,
  reasons,
  REPO,
  ROOM,
  selection,
  sha256,
  TORCH,
  withFile,
  type Contents,
} from './builders.ts';

const WEIGHTS = lfsBlob('weights').path;
const LINK = inSnapshot(A, 'w.bin');
const WHOLE: Contents = { snapshots: { [A]: { 'w.bin': 'weights' } }, refs: { main: A } };
const BOTH: Contents = { snapshots: { [A]: { 'w.bin': 'weights', 'c.json': 'config' } }, refs: { main: A } };

describe('a plan', () => {
  test('counts what it fetches and what is here', () => {
    const plan = planRestore(
      catalog(BOTH),
      inventory(local({ files: [lfsBlob('config')] })),
      EVERYTHING,
      ROOM,
    );
    assert.deepEqual(plan.fetch, { files: 1, bytes: 7 });
    assert.deepEqual(plan.present, { files: 1, bytes: 6 });
    assert.equal(plan.bytesShort, 0);
    assert.deepEqual(fetchedNames(plan), ['org/model']);
    const some = planRestore(catalog(BOTH), inventory(), selection(['org/model:*.json']), ROOM);
    assert.equal(some.fetch.bytes, 6);
  });

  test('fetches what is missing, and what is here and wrong', () => {
    const shorter = withFile(local(BOTH), WEIGHTS, { size: 3 });
    const wrong = withFile(shorter, lfsBlob('config').path, { digests: { sha256: sha256('other') } });
    const plan = planRestore(
      catalog({ ...BOTH, files: [lfsBlob('more')] }),
      inventory(wrong),
      EVERYTHING,
      ROOM,
    );
    assert.deepEqual(
      [plan.fetch, plan.present],
      [
        { files: 3, bytes: 17 },
        { files: 0, bytes: 0 },
      ],
    );
  });

  test('says how many bytes are short, and then fetches none', () => {
    const plan = planRestore(catalog(WHOLE), inventory(), EVERYTHING, { freeBytes: 0 });
    assert.ok(plan.bytesShort >= 7);
    assert.deepEqual(plan.fetch, { files: 0, bytes: 0 });
    assert.deepEqual(fetchedNames(plan), []);
  });

  test('needs no space for links alone', () => {
    const here = inventory(local({ files: [lfsBlob('weights')] }));
    const plan = planRestore(catalog(WHOLE), here, EVERYTHING, { freeBytes: 0 });
    assert.deepEqual([plan.bytesShort, reasons(plan)[LINK]], [0, 'missing']);
  });

  test('knows where a tree is that is not where its name says', () => {
    const below = { ...local(WHOLE), root: 'models--org--model' };
    const plan = planRestore(catalog(WHOLE), inventory(below, local({ tree: TORCH })), EVERYTHING, ROOM);
    assert.deepEqual(plan.roots, { [REPO]: 'models--org--model' });
  });

  test('survives being printed', () => {
    const plan = planRestore(
      catalog(BOTH, { tree: TORCH, files: [plainFile('../x', 'x')] }),
      inventory(),
      EVERYTHING,
      ROOM,
    );
    assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
    assert.equal(plan.version, 1);
  });
});

describe('a --model that nothing answers to is named', () => {
  const rows: readonly {
    name: string;
    models: readonly string[];
    unmatched: readonly string[];
  }[] = [
    {
      name: 'none, when each has something',
      models: ['org/model', 'org/model@main', 'org/model:*.bin'],
      unmatched: [],
    },
    { name: 'a repo that is not there', models: ['org/model', 'org/other'], unmatched: ['org/other'] },
    { name: 'a revision that is not there', models: ['org/model@dev'], unmatched: ['org/model@dev'] },
    { name: 'a glob that matches nothing', models: ['org/model:*.pt'], unmatched: ['org/model:*.pt'] },
    {
      name: 'a glob that matches nothing beside one that does',
      models: ['org/model:*.bin', 'org/model:*.pt'],
      unmatched: ['org/model:*.pt'],
    },
    {
      name: 'a revision that is not there beside one that is',
      models: ['org/model@main', 'org/model@dev'],
      unmatched: ['org/model@dev'],
    },
  ];
  for (const { name, models, unmatched } of rows) {
    for (const here of [inventory(), inventory(local(BOTH))]) {
      test(`${name}, ${here.trees.length === 0 ? 'to fetch' : 'or here'}`, () => {
        assert.deepEqual(planRestore(catalog(BOTH), here, selection(models), ROOM).unmatched, unmatched);
      });
    }
  }
});

test('a locked tree that is withheld is named, and not once more as a --model without an answer', () => {
  const rest = { source: 'lock' as const, trees: [], withheld: ['hub/models--org--model', TORCH] };
  const plan = planRestore(rest, inventory(), selection(['org/model:*.bin', 'org/other']), ROOM);
  assert.deepEqual(plan.withheld, ['hub/models--org--model', TORCH]);
  assert.deepEqual(plan.unmatched, ['org/other']);
  assert.deepEqual(planRestore(catalog(BOTH), inventory(), EVERYTHING, ROOM).withheld, []);
});

test('to be proved are the files that the bucket has with the same size', () => {
  const here = withFile(
    local({ files: ['weights', 'config', 'mine'].map(lfsBlob) }),
    lfsBlob('config').path,
    { size: 1 },
  );
  const paths = filesToProve(catalog(BOTH), inventory(here)).map(({ file }) => file.path);
  assert.deepEqual(paths, [WEIGHTS]);
  assert.deepEqual(filesToProve(catalog(BOTH), inventory()), []);
});

function fetchedNames({ items }: RestorePlan): readonly string[] {
  const fetched = items.filter(({ kind, reason }) => kind === 'file' && isFetchReason(reason));
  return [...new Set(fetched.map(({ tree }) => displayName(tree)))];
}
