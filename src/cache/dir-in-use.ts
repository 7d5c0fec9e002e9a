import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { layout } from './layout.ts';
import { writeOwnFile } from './own-files.ts';

/**
 * The dir that commands without a server speak of: one with our state, else the first that exists; `fallback` where the
 * last start with these dirs could use none of them and has taken that one.
 */
export function dirInUse(dirs: readonly string[], fallback: string | undefined): string | undefined {
  if (fallback !== undefined && isInsteadOf(dirs, fallback)) return fallback;
  const there = dirs.map((dir) => resolve(dir)).filter(isFolder);
  return there.find((dir) => existsSync(layout.state(dir))) ?? there[0];
}

/** A start could use none of `dirs`, and takes `fallback`. Never throws: then it is not found again. */
export function noteFallback(dirs: readonly string[], fallback: string): void {
  try {
    writeOwnFile(fallback, layout.insteadOf(fallback), named(dirs), undefined);
  } catch {
    // A disk that takes nothing more.
  }
}

/** A start takes one of its dirs again. */
export function forgetFallback(fallback: string): void {
  try {
    rmSync(layout.insteadOf(fallback), { force: true });
  } catch {
    // As above.
  }
}

function isInsteadOf(dirs: readonly string[], fallback: string): boolean {
  try {
    return readFileSync(layout.insteadOf(fallback), 'utf8') === named(dirs);
  } catch {
    return false;
  }
}

function named(dirs: readonly string[]): string {
  return JSON.stringify(dirs.map((dir) => resolve(dir)));
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
