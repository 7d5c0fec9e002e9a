import assert from 'node:assert/strict';
import { test } from 'node:test';
import { profileOf, type CpuProfile } from '../../../bench/report/cpu-profile.ts';

const node = (id: number, functionName: string, url = ''): CpuProfile['nodes'][number] => ({
  id,
  callFrame: { functionName, url },
});

test('a thread is told by the file that it began with, and by what it was busy with', () => {
  const { thread, by } = profileOf({
    nodes: [
      node(1, '(idle)'),
      node(2, 'update'),
      node(3, 'read'),
      node(4, 'serve', 'file:///app/dist/digester.cjs'),
    ],
    samples: [1, 2, 2, 3, 4],
    timeDeltas: [500_000, 200_000, 300_000, 125_000, 62_500],
  });
  assert.equal(thread, 'digester');
  assert.deepEqual(by, [
    { what: 'hash', seconds: 0.5 },
    { what: 'read from the file', seconds: 0.125 },
    { what: 'other code', seconds: 0.0625 },
  ]);
});

test('the one that began with no file of ours is the first one', () => {
  const { thread } = profileOf({ nodes: [node(1, 'rename')], samples: [1], timeDeltas: [1000] });
  assert.equal(thread, 'MainThread');
});
