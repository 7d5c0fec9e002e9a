import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { layout } from './layout.ts';

/**
 * The dir that commands without a server speak of: the one that the last start has given to its server; where nobody can
 * say, one with our state, else the first that exists. `fallbacks` are dirs that a start takes when none of `dirs` will
 * do. They count when one has, unless there is one of `dirs` that it would have taken: that was filled by hand since.
 */
export function dirInUse(dirs: readonly string[], fallbacks: readonly string[] = []): string | undefined {
  const there = dirs.map((dir) => resolve(dir)).filter(isFolder);
  const isFilledByHand = there.some((dir) => timeOf(layout.env(dir)) === 0 && isWritable(dir));
  const [last] = [...there, ...(isFilledByHand ? [] : fallbacks)]
    .map((dir) => ({ dir, startedAt: timeOf(layout.env(dir)) }))
    .filter(({ startedAt }) => startedAt > 0)
    .toSorted((a, b) => b.startedAt - a.startedAt);
  return last?.dir ?? there.find((dir) => existsSync(layout.state(dir))) ?? there[0];
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds since 1970; 0 where there is no such file. */
function timeOf(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
