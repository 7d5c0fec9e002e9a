import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { heapsIn, watchingHeaps } from '../../../bench/measure/heaps.ts';

test('of each thread, what V8 held for its heap, and what of it was in use', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heaps-'));
  try {
    const work = `
      const { Worker } = require('node:worker_threads');
      new Worker('const kept = Array.from({ length: 1e6 }, String); setTimeout(() => kept.length, 300)', { eval: true });
    `;
    const { status, stderr } = spawnSync(process.execPath, [...watchingHeaps(folder), '-e', work], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    const heaps = heapsIn(folder).toSorted((a, b) => a.held - b.held);
    assert.equal(heaps.length, 2);
    for (const { held, alive } of heaps) assert.ok(alive > 0 && alive <= held, `${alive} of ${held}`);
    assert.ok((heaps[1]?.held ?? 0) > 10e6);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
