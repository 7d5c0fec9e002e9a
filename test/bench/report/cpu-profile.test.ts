import assert from 'node:assert/strict';
import { test } from 'node:test';
import { profileOf, type CallFrame, type CpuProfile } from '../../../bench/report/cpu-profile.ts';

const node = (id: number, functionName: string, url = ''): CpuProfile['nodes'][number] => ({
  id,
  callFrame: { functionName, url, lineNumber: 0, columnNumber: id },
});
const noSource = (): undefined => undefined;

test('a thread is told by the file that it began with, and by what it was busy with', () => {
  const { thread, by } = profileOf(
    {
      nodes: [
        node(1, '(idle)'),
        node(2, 'update'),
        node(3, 'read'),
        node(4, 'serve', 'file:///app/dist/digester.cjs'),
        node(5, 'emit', 'node:events'),
      ],
      samples: [1, 2, 2, 3, 4, 5],
      timeDeltas: [500_000, 200_000, 300_000, 125_000, 62_500, 31_250],
    },
    noSource,
  );
  assert.equal(thread, 'digester');
  assert.deepEqual(by, [
    { what: 'hash', seconds: 0.5 },
    { what: 'read from the file', seconds: 0.125 },
    { what: 'other code', seconds: 0.0625 },
    { what: "Node's own code", seconds: 0.03125 },
  ]);
});

test('code of ours is told by the folder of its source', () => {
  const url = 'file:///app/dist/start-abc.cjs';
  const sources: readonly (string | undefined)[] = [
    undefined,
    '../src/model/plan.ts',
    '../src/model/tree.ts',
    '../node_modules/valibot/index.mjs',
  ];
  const { by } = profileOf(
    {
      nodes: [1, 2, 3].map((id) => node(id, 'f', url)),
      samples: [1, 2, 3],
      timeDeltas: [500_000, 500_000, 500_000],
    },
    ({ columnNumber }: CallFrame) => sources[columnNumber],
  );
  assert.deepEqual(by, [
    { what: 'model/', seconds: 1 },
    { what: 'other code', seconds: 0.5 },
  ]);
});

test('the one that began with no file of ours is the first one', () => {
  const profile = { nodes: [node(1, 'rename')], samples: [1], timeDeltas: [1000] };
  assert.equal(profileOf(profile, noSource).thread, 'MainThread');
});
