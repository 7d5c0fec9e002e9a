import { randomUUID } from 'node:crypto';
import { chownSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno } from './errors.ts';

/**
 * A folder and what is missing above it. Node's own recursive mkdir tries for ever, deaf to signals, where the kernel
 * answers ENOENT for a folder whose parent is there (below /proc, on dead mounts).
 */
export function makeFolders(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (hasErrno(error, 'EEXIST') && statSync(path).isDirectory()) return;
    if (!hasErrno(error, 'ENOENT') || dirname(path) === path) throw error;
    makeFolders(dirname(path));
    mkdirSync(path);
  }
}

export interface FileRights {
  readonly mode?: number;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A file that is there whole or not at all. What was at the path is replaced, a link never followed. */
export function replaceFile(path: string, content: string, { mode, owner }: FileRights = {}): void {
  const temporary = `${path}.${randomUUID()}`;
  makeFolders(dirname(path));
  try {
    writeFileSync(temporary, content, { flag: 'wx', ...(mode === undefined ? {} : { mode }) });
    if (owner !== undefined) chownSync(temporary, owner.uid, owner.gid);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}
