import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatThreads } from '../../../bench/report/thread-table.ts';

test('who had the processors comes first; threads of a kind are one row, and so are all of Node', () => {
  const threads = new Map([
    ['MainThread', [{ running: 0.1, ready: 0 }]],
    [
      'receiver',
      [
        { running: 0.5, ready: 0.25 },
        { running: 0.25, ready: 0.25 },
      ],
    ],
    ['V8Worker', [{ running: 0.05, ready: 0 }]],
    ['libuv-worker', [{ running: 0.05, ready: 0 }]],
  ]);
  const profiles = [
    {
      thread: 'receiver',
      by: [
        { what: 'hash', seconds: 0.5 },
        { what: 'other code', seconds: 0.25 },
      ],
    },
    { thread: 'receiver', by: [{ what: 'hash', seconds: 0.25 }] },
    { thread: 'MainThread', by: [{ what: 'other code', seconds: 1 }] },
  ];
  const run = { wall: 1, serverCpu: 0.5, linkCpu: 0.25, processors: 2, threads };
  assert.equal(
    formatThreads(run, profiles),
    `1.00 s, of which the server had 0.50 s of a processor and the link 0.25 s; all together 85 % of what 2 processors can give.

| thread | on a processor s | ready, but without one s | with what (profiler) |
|---|---|---|---|
| receives (2 threads) | 0.75 | 0.50 | hash 75 %, other code 25 % |
| begins, decides, publishes, sends | 0.10 | 0.00 | other code 100 % |
| Node: compiles, collects garbage, reads files | 0.10 | 0.00 |  |`,
  );
});
