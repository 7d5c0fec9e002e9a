import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
/** Left for the programs that run, and for what else the machine does. */
const SPARE_BYTES = 2e9;

export interface Scratch {
  readonly dir: string;
  readonly isInMemory: boolean;
  remove(): void;
}

/** An empty folder for so many bytes: in memory when there is room, so that no disk is measured, else in TMPDIR. */
export function scratchFor(bytes: number): Scratch {
  const isInMemory = existsSync(MEMORY) && bytes + SPARE_BYTES < freeMemory();
  const dir = mkdtempSync(join(isInMemory ? MEMORY : tmpdir(), 'model-cache-bench-'));
  const remove = (): void => {
    process.removeListener('exit', remove);
    rmSync(dir, { recursive: true, force: true });
  };
  process.once('exit', remove);
  return { dir, isInMemory, remove };
}

function freeMemory(): number {
  const { bavail, bsize } = statfsSync(MEMORY);
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Math.min(bavail * bsize, Number(available ?? 0) * 1024);
}
