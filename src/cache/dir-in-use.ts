import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { layout } from './layout.ts';

/**
 * The dir that commands without a server speak of: the one that the last start has given to its server; where nobody can
 * say, one with our state, else the first that exists. `fallbacks` are dirs that a start takes when none of `dirs` will
 * do: they count when one has.
 */
export function dirInUse(dirs: readonly string[], fallbacks: readonly string[] = []): string | undefined {
  const there = dirs.map((dir) => resolve(dir)).filter(isFolder);
  const [last] = [...there, ...fallbacks]
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

/** Milliseconds since 1970; 0 where there is no such file. */
function timeOf(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
