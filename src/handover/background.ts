import { spawn, spawnSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { CLOSES_ON_EXEC, numbersIn, openFlags } from '../descriptors.ts';
import type { Environment } from '../settings/raw.ts';

/** Machine code costs an idle process 2 MiB and more, and it waits for the disk anyway. */
const SMALL = ['--jitless', '--max-semi-space-size=1'];

/**
 * Starts a JavaScript file that goes on without us, and in a session of its own: it is no child of this process, so
 * that the server which this becomes gets no child to wait for, and nothing of ours is held open by it. Returns why it
 * could not be started, if so.
 */
export function leaveBehind(program: string, args: readonly string[], env: Environment): Error | undefined {
  // Node reads TypeScript with WebAssembly, which is machine code.
  const flags = program.endsWith('.ts') ? [] : SMALL;
  const command = [process.execPath, ...flags, program, ...args];
  // spawnSync takes `detached` as spawn does; its types do not know it.
  const options = { env, stdio: 'ignore', detached: true } as const;
  const shell = spawnSync('/bin/sh', ['-c', '"$@" &', 'sh', ...command], options);
  if (shell.error !== undefined) return isSpawned(command, options) ? undefined : shell.error;
  return shell.status === 0 ? undefined : new Error(`its shell ended with ${shell.status ?? shell.signal}`);
}

/**
 * Closes what whoever started us has left open: a pipe that we know nothing about would never come to its end. Node's
 * own descriptors are closed on exec, by which they are told apart. Only for a process that has opened nothing with
 * other means, and without /proc nothing is closed.
 */
export function closeInherited(): void {
  const beyondStandard = numbersIn('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2);
  for (const fd of beyondStandard) {
    try {
      if ((openFlags('self', fd) & CLOSES_ON_EXEC) === 0) closeSync(fd);
    } catch {
      // It was open only while the folder was read.
    }
  }
}

/** Without a shell it is a child after all, which the server sees end when it asks for its children. */
function isSpawned(
  [command = '', ...args]: readonly string[],
  options: { readonly env: Environment; readonly stdio: 'ignore'; readonly detached: true },
): boolean {
  const child = spawn(command, args, options);
  child.once('error', () => undefined);
  child.unref();
  return child.pid !== undefined;
}
