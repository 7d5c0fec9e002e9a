import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { parseSchedstat, threadTimesOf } from '../../../bench/measure/thread-times.ts';

test('the kernel counts nanoseconds on a processor, and nanoseconds without one', () => {
  assert.deepEqual(parseSchedstat('1500000000 250000000 42\n'), { running: 1.5, ready: 0.25 });
});

test('a process is followed to its end, thread by thread', async () => {
  const busy = `
    const { Worker } = require('node:worker_threads');
    const work = 'const end = Date.now() + 300; while (Date.now() < end);';
    for (let count = 0; count < 2; count += 1) new Worker(work, { eval: true, name: 'worker' });
  `;
  const threads = await threadTimesOf(spawn(process.execPath, ['-e', busy], { stdio: 'ignore' }));
  const workers = threads.get('worker') ?? [];
  assert.equal(workers.length, 2);
  assert.ok(workers.every(({ running }) => running > 0.01));
  assert.equal(threads.get('MainThread')?.length, 1);
});
