import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

const LOWEST = 19;
const IDLE_CLASS = '3';

/**
 * The server's requests come first, at the processors and at the disk: for every thread that this process has, since
 * the kernel knows of threads only. Where it cannot be had, this process is an equal.
 */
export function yieldToEverybody(): void {
  yieldProcessors();
  spawnSync('ionice', ['-c', IDLE_CLASS, '-p', ...threads()], { stdio: 'ignore' });
}

export function yieldProcessors(): void {
  for (const thread of threads()) {
    try {
      setPriority(Number(thread), LOWEST);
    } catch {
      // An equal, then.
    }
  }
}

function threads(): readonly string[] {
  try {
    return readdirSync('/proc/self/task');
  } catch {
    return [String(process.pid)];
  }
}
