import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

const STEPS = 10;

/**
 * This thread gives way to the others of the process. Whoever hashes what has come is last to be done, so where there
 * are not processors enough for all, he goes first. On Linux a thread has a priority of its own; elsewhere nothing happens.
 */
export function stepBack(): void {
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    setPriority(thread, Math.min(constants.priority.PRIORITY_LOW, getPriority(thread) + STEPS));
  } catch {
    // It was to be faster, and is as fast as before.
  }
}
