import { readFileSync } from 'node:fs';

const MOST = 16;
/** Node's own, the connections to the store, and what it takes to start another program for a moment. */
const OTHERS = 44;
/** A staged file, and its journal. */
const PER_FILE = 2;

/** How many files may be staged at once without running into the process's limit of open files. */
export function filesAtOnce(): number {
  try {
    return filesWithin(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    return MOST;
  }
}

/** Of the text of /proc/PID/limits. What it does not say is no limit. */
export function filesWithin(limits: string): number {
  const soft = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.min(MOST, Math.max(1, Math.floor((soft - OTHERS) / PER_FILE)));
}
