// The main job, on a folder as the bucket: what `model-cache` does for a server, from the first pod to the next one.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDemoCache } from './demo-cache.ts';

const program = join(import.meta.dirname, '..', 'bin', 'model-cache.js');
const server = join(import.meta.dirname, 'demo-server.js');
const scratch = mkdtempSync(join(tmpdir(), 'model-cache-demo-'));
const dir = join(scratch, 'models');
const env = {
  ...process.env,
  MODEL_CACHE_STORE: `file://${join(scratch, 'bucket')}`,
  MODEL_CACHE_DIR: dir,
  HOME: scratch,
};

try {
  say('1. A first pod: its server has downloaded a model, which now goes into the bucket.');
  makeDemoCache(dir);
  modelCache('upload');
  say('2. The pod is gone, and its disk with it.');
  rmSync(dir, { recursive: true });
  say('3. The next pod: init restores the cache and becomes the server.');
  modelCache('init', '--', process.execPath, server);
  say('Done: every byte was checked against its own name.');
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function modelCache(...args: readonly string[]): void {
  console.log(
    `$ model-cache ${args.map((arg) => arg.replace(process.execPath, 'node').replace(server, 'demo-server.js')).join(' ')}`,
  );
  const { status } = spawnSync(process.execPath, [program, ...args], { env, stdio: 'inherit' });
  if (status !== 0) throw new Error(`model-cache ${args[0]} ended with ${status}`);
}

function say(text: string): void {
  console.log(`\n${text}`);
}
