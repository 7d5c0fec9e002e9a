import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

const MODULE = join(import.meta.dirname, '../../src/wire/step-back.ts');
const THREAD = `
  const { parentPort } = require('node:worker_threads');
  const { readlinkSync } = require('node:fs');
  const { getPriority } = require('node:os');
  const own = () => getPriority(Number(readlinkSync('/proc/thread-self').split('/').pop()));
  import(${JSON.stringify(MODULE)}).then(({ stepBack }) => {
    const before = own();
    stepBack();
    parentPort.postMessage([before, own()]);
  });`;

const skip = existsSync('/proc/thread-self') ? false : 'threads have no priority of their own here';

test('a thread that steps back gives way, and nobody else does', { skip }, async () => {
  const before = getPriority();
  const worker = new Worker(THREAD, { eval: true });
  const [own, stepped] = await new Promise<readonly [number, number]>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  assert.equal(own, before);
  assert.equal(stepped, Math.min(19, before + 10));
  assert.equal(getPriority(), before);
});
