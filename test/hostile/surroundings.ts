import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';

const LARGE_BYTES = 1024 * 1024;

/**
 * Everything below a folder, by path: what it is, whose, since when, and what it holds. Pipes and devices are looked
 * at, never opened. `leftOut` is relative to the folder.
 */
export function surroundingsOf(
  root: string,
  leftOut: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const walk = (path: string): void => {
    if (leftOut.has(path)) return;
    const absolute = join(root, path);
    const stats = lstatSync(absolute);
    found.set(path, `${attributesOf(stats)} ${contentOf(absolute, stats)}`);
    if (stats.isDirectory()) for (const name of readdirSync(absolute)) walk(join(path, name));
  };
  walk('');
  return found;
}

/** Folders change when something is made in them, so that nothing that came and went is missed. */
function attributesOf({ mode, uid, gid, mtimeMs, ctimeMs, ino }: Stats): string {
  return [mode.toString(8), uid, gid, mtimeMs, ctimeMs, ino].join(' ');
}

/** Of a large file the size, beside its times, has to do. */
function contentOf(path: string, stats: Stats): string {
  if (stats.isSymbolicLink()) return readlinkSync(path);
  if (stats.size > LARGE_BYTES) return `${stats.size} bytes`;
  return stats.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
}
