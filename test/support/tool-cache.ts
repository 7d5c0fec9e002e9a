import { spawn } from 'node:child_process';
import { existsSync, utimesSync } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const HEARTBEAT_MS = 1_000;
const ABANDONED_AFTER_MS = 15_000;

/** Where the tests keep the programs they install: outside the tree, kept between runs, safe to delete. */
export function toolCacheDir(): string {
  const chosen = process.env['MODEL_CACHE_TEST_TOOLS'];
  if (chosen) return resolve(chosen);
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'model-cache-test-tools');
}

/**
 * The folder `name` of the tool cache, filled by `install` if it is not there yet.
 *
 * `install` fills a folder that is then renamed, so a folder that exists is whole. Many processes may call this
 * at once: one installs, the others wait. The lock only saves work; were it broken, the first rename would win.
 */
export async function installOnce(name: string, install: (dir: string) => Promise<void>): Promise<string> {
  const dir = join(toolCacheDir(), name);
  await mkdir(toolCacheDir(), { recursive: true });
  while (!existsSync(dir)) {
    const release = await tryLock(`${dir}.lock`);
    if (release === undefined) {
      await sleep(100);
      continue;
    }
    try {
      if (!existsSync(dir)) await installAside(dir, install);
    } finally {
      await release();
    }
  }
  return dir;
}

/** Runs one step of an installation and returns the end of its output; rejects with it unless the step exits 0. */
export async function runInstallStep(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const end = await new Promise<number | string>((done, failed) => {
    child.on('error', failed);
    child.on('close', (code, signal) => done(code ?? signal ?? 'no exit code'));
  });
  if (end !== 0) {
    throw new Error(
      `wanted \`${[command, ...args].join(' ')}\` to succeed, found exit ${end}; run it by hand to see more.\n${output}`,
    );
  }
  return output;
}

async function installAside(dir: string, install: (dir: string) => Promise<void>): Promise<void> {
  const aside = await mkdtemp(`${dir}.partial-`);
  try {
    await install(aside);
    await rename(aside, dir);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    if (!existsSync(dir)) throw error;
  }
}

/** Takes the lock and returns its release, or undefined when a live process holds it. */
async function tryLock(lock: string): Promise<(() => Promise<void>) | undefined> {
  try {
    await (await open(lock, 'wx')).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await removeIfAbandoned(lock);
    return undefined;
  }
  const heartbeat = setInterval(() => touch(lock), HEARTBEAT_MS).unref();
  return async () => {
    clearInterval(heartbeat);
    await rm(lock, { force: true });
  };
}

/** A holder touches its lock every second; one that has stopped was killed. (A pid would lie across containers.) */
async function removeIfAbandoned(lock: string): Promise<void> {
  const found = await stat(lock).catch(() => undefined);
  if (found && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) await rm(lock, { force: true });
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // Another process took the lock for abandoned: it then installs too, which only costs time.
  }
}
