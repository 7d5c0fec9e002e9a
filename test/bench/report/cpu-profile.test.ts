import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatThreads, timeOf, type CpuProfile } from '../../../bench/report/cpu-profile.ts';

const node = (id: number, functionName: string, url = ''): CpuProfile['nodes'][number] => ({
  id,
  callFrame: { functionName, url },
});

const HASHING: CpuProfile = {
  nodes: [
    node(1, '(idle)'),
    node(2, 'update'),
    node(3, 'read'),
    node(4, 'serve', 'file:///app/dist/digester.cjs'),
  ],
  samples: [1, 2, 2, 3, 4],
  timeDeltas: [500_000, 200_000, 300_000, 100_000, 50_000],
};

test('a thread is told by its file, and is busy when it is not idle', () => {
  const { thread, busy, by } = timeOf(HASHING);
  assert.equal(thread, 'hashes');
  assert.ok(Math.abs(busy - 0.65) < 1e-9);
  assert.deepEqual(
    by.map(({ what }) => what),
    ['hash', 'read from the file', 'other code'],
  );
});

test('the busiest thread comes first', () => {
  const main: CpuProfile = { nodes: [node(1, 'rename')], samples: [1], timeDeltas: [100_000] };
  assert.equal(
    formatThreads([timeOf(main), timeOf(HASHING)]),
    [
      '| thread | busy s | with what, s |',
      '|---|---|---|',
      '| hashes | 0.65 | hash 0.50, read from the file 0.10, other code 0.05 |',
      '| begins, decides, publishes | 0.10 | other code 0.10 |',
    ].join('\n'),
  );
});
