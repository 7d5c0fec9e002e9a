import { readdirSync, readFileSync } from 'node:fs';

export interface MarkedProcess {
  readonly pid: number;
  /** With spaces between the arguments; what a process calls itself, once it has set its title. */
  readonly command: string;
}

/**
 * The living processes with `NAME=value` in the environment they were started with: children inherit it, and neither
 * a new session nor a new title changes it. A zombie has no environment any more, and is not one of them.
 */
export function processesMarked(marker: string): readonly MarkedProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(marker)) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), command }];
    } catch {
      // Another user's, or gone meanwhile.
      return [];
    }
  });
}

/** Again until none is left: a process may have been between fork and its first line. Synchronous, for the exit. */
export function killMarked(marker: string): void {
  for (let left = processesMarked(marker), rounds = 0; left.length > 0 && rounds < 100; rounds += 1) {
    for (const { pid } of left) killOne(pid);
    left = processesMarked(marker);
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
}
