import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isCommit } from '../../src/model/digest.ts';
import { isFetchReason, planRestore, type Reason, type RestorePlan } from '../../src/model/plan.ts';
import {
  A,
  B,
  catalog,
  EVERYTHING,
  inSnapshot,
  inventory,
  local,
  reasons,
  ROOM,
  selection,
  sha256,
  type Contents,
} from './builders.ts';

const WHOLE = { 'w.bin': 'weights', 'c.json': 'config' };
const BUCKET: Contents = { snapshots: { [A]: WHOLE }, refs: { main: A } };

interface Row {
  readonly name: string;
  readonly bucket?: Contents;
  readonly here: Contents;
  readonly models?: readonly string[];
  readonly reason: Reason;
}

describe('a ref on this disk', () => {
  const rows: readonly Row[] = [
    { name: 'that is not there is written', here: {}, reason: 'missing' },
    {
      name: 'that says the same stays',
      here: { snapshots: { [A]: WHOLE }, refs: { main: A } },
      reason: 'present',
    },
    {
      name: 'that the server has moved stays, when its commit has all that the bucket has',
      here: { snapshots: { [B]: { ...WHOLE, 'README.md': 'new' } }, refs: { main: B } },
      reason: 'present',
    },
    {
      name: 'that the server has moved stays, when its commit has all that was selected',
      here: { snapshots: { [B]: { 'w.bin': 'weights' } }, refs: { main: B } },
      models: ['org/model:*.bin'],
      reason: 'present',
    },
    {
      name: 'that the server has moved is replaced, when its commit has less',
      here: { snapshots: { [B]: { 'c.json': 'config' } }, refs: { main: B } },
      reason: 'digest-differs',
    },
    {
      name: 'that the server has moved is replaced, when its commit has nothing',
      here: { refs: { main: B } },
      reason: 'digest-differs',
    },
    {
      name: 'that the server has moved is replaced, when the links of its commit lead to nothing',
      here: {
        links: Object.fromEntries(
          Object.keys(WHOLE).map((file) => [inSnapshot(B, file), `../../blobs/${sha256('gone')}`]),
        ),
        refs: { main: B },
      },
      reason: 'digest-differs',
    },
    {
      name: 'that the bucket has left is replaced: nobody moved it here',
      bucket: {
        snapshots: { [A]: WHOLE, [B]: { ...WHOLE, 'w.bin': 'better' } },
        refs: { main: B },
        retired: [A],
      },
      here: { snapshots: { [A]: WHOLE }, refs: { main: A } },
      reason: 'digest-differs',
    },
    {
      name: 'that got a newline is replaced',
      here: { snapshots: { [A]: WHOLE }, refs: { main: `${A}\n` } },
      reason: 'digest-differs',
    },
    {
      name: 'that the server has moved, and that got a newline, is replaced',
      here: { snapshots: { [B]: WHOLE }, refs: { main: `${B}\n` } },
      reason: 'digest-differs',
    },
    {
      name: 'is left alone when nothing of its commit was selected',
      here: { refs: { main: B } },
      models: ['org/model:*.pt'],
      reason: 'not-selected',
    },
  ];
  for (const { name, bucket = BUCKET, here, models = [], reason } of rows) {
    test(name, () => {
      const wants = models.length === 0 ? EVERYTHING : selection(models);
      assert.equal(
        reasons(planRestore(catalog(bucket), inventory(local(here)), wants, ROOM))['refs/main'],
        reason,
      );
    });
  }
});

describe('a locked ref', () => {
  const locked = { ...catalog(BUCKET), source: 'lock' as const };
  const planned = (here: Contents): RestorePlan =>
    planRestore(locked, inventory(local(here)), EVERYTHING, ROOM);

  test('takes the place of one that the server has moved, whatever its commit has', () => {
    const moved = { snapshots: { [A]: WHOLE, [B]: { ...WHOLE, 'README.md': 'new' } }, refs: { main: B } };
    assert.equal(reasons(planned(moved))['refs/main'], 'digest-differs');
  });

  test('stays where it says the same, and is left alone when nothing of its commit was selected', () => {
    assert.equal(reasons(planned({ snapshots: { [A]: WHOLE }, refs: { main: A } }))['refs/main'], 'present');
    const plan = planRestore(locked, inventory(local({ refs: { main: B } })), selection(['a/b']), ROOM);
    assert.equal(reasons(plan)['refs/main'], 'not-selected');
  });
});

describe('a ref in the bucket', () => {
  test('is written for its part of a commit, and beside others', () => {
    const bucket = { snapshots: { [A]: WHOLE, [B]: WHOLE }, refs: { main: A, 'v1.0': A, 'refs/pr/1': B } };
    const plan = planRestore(catalog(bucket), inventory(), selection(['org/model@main']), ROOM);
    const refs = plan.items.filter(({ kind }) => kind === 'ref').map(({ path, reason }) => [path, reason]);
    assert.deepEqual(Object.fromEntries(refs), {
      'refs/main': 'missing',
      'refs/v1.0': 'missing',
      'refs/refs/pr/1': 'not-selected',
    });
  });

  test('is not written when its commit has nothing', () => {
    const plan = planRestore(catalog({ refs: { main: A } }), inventory(), EVERYTHING, ROOM);
    assert.equal(reasons(plan)['refs/main'], 'not-selected');
  });

  const contents: readonly (readonly [name: string, content: string])[] = [
    ['a commit and a newline, which huggingface_hub does not find', `${A}\n`],
    ['a blank and a commit', ` ${A}`],
    ['a commit in upper case', A.toUpperCase()],
    ['a path', '../../../etc'],
    ['nothing', ''],
  ];
  for (const [name, content] of contents) {
    test(`is never written as ${name}`, () => {
      const bucket = { snapshots: { [A]: WHOLE }, refs: { main: content } };
      for (const item of planRestore(catalog(bucket), inventory(), EVERYTHING, ROOM).items) {
        if (item.kind === 'ref' && isFetchReason(item.reason)) assert.ok(isCommit(item.content));
      }
    });
  }
});
