import { spawnSync } from 'node:child_process';
import { setPriority } from 'node:os';

const LOWEST = 19;
const IDLE_CLASS = '3';

/**
 * The server's requests come first, at the processors and at the disk. Before anything else is done: the threads that
 * read files inherit it when they are made. Where it cannot be had, this process is an equal.
 */
export function yieldToEverybody(): void {
  yieldProcessors();
  spawnSync('ionice', ['-c', IDLE_CLASS, '-p', String(process.pid)], { stdio: 'ignore' });
}

export function yieldProcessors(): void {
  try {
    setPriority(LOWEST);
  } catch {
    // An equal, then.
  }
}
