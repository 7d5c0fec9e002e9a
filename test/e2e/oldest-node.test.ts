import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { oldestNode } from '../support/oldest-node.ts';
import { startMinio } from '../support/minio.ts';
import { environmentFor, finished, PROGRAM, scratchDir, type Finished } from '../support/program.ts';
import { makeRepo } from '../support/tree.ts';

test('the oldest Node of the promise uploads, restores and hands over', async (context) => {
  const node = await oldestNode();
  if (node === undefined) return context.skip('there is no such Node in the registry for this platform');
  const minio = await startMinio();
  context.after(() => minio.stop());
  const dir = join(await scratchDir(context), 'models');
  const env = environmentFor({ ...minio.env(await minio.createBucket()), MODEL_CACHE_DIR: dir });
  const run = (...args: readonly string[]): Promise<Finished> =>
    finished(spawn(node, [PROGRAM, ...args], { env }));
  makeRepo(join(dir, 'hub'), 'org/model', 'c1'.repeat(20), {
    'model.bin': { content: Buffer.alloc(20_000_000, 'w') },
  });
  const upload = await run('upload');
  assert.equal(upload.code, 0, upload.stderr);
  rmSync(dir, { recursive: true });
  const init = await run('init', '--model', 'org/model', '--', 'sh', '-c', 'ls $HF_HUB_CACHE; echo $$');
  assert.match(init.stdout, /^models--org--model\n\d+\n$/, init.stderr);
  assert.equal((await run('verify', '--remote')).code, 0);
});
