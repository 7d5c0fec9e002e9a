import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lchownSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno, ModelCacheError } from './errors.ts';
import { pauseThread } from './pause-thread.ts';

const { O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants;
/** How long a pipe may be full. */
const READ_WITHIN_MS = 2000;
const PAUSE_MS = 10;

/**
 * A folder and what is missing above it. Node's own recursive mkdir tries for ever, deaf to signals, where the kernel
 * answers ENOENT for a folder whose parent is there (below /proc, on dead mounts).
 */
export function makeFolders(path: string, mode?: number): void {
  try {
    makeFolder(path, mode);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') || dirname(path) === path) throw error;
    makeFolders(dirname(path), mode);
    makeFolder(path, mode);
  }
}

/** Another process may make it at the same time. */
function makeFolder(path: string, mode?: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST') || !statSync(path).isDirectory()) throw error;
  }
}

/**
 * The content of a regular file. Throws `path-unsafe` for anything else, and for more than `limit` bytes: a pipe is not
 * waited for, and a device not read. Links are followed.
 */
export function readRegularFile(path: string, limit: number): Buffer {
  const fd = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw new ModelCacheError('path-unsafe', `${path} is no regular file`);
    const bytes = Buffer.allocUnsafe(limit + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(fd, bytes, length, bytes.length - length, null);
    if (length <= limit) return bytes.subarray(0, length);
    throw new ModelCacheError('path-unsafe', `${path} is larger than ${limit} bytes`);
  } finally {
    closeSync(fd);
  }
}

/**
 * Writes into what is there: a device, a pipe, or where a link leads. Who has a pipe open has so long to read; nobody
 * at all is an error at once.
 */
export function writeInto(path: string, content: string): void {
  const fd = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY);
  try {
    const bytes = Buffer.from(content);
    const end = performance.now() + READ_WITHIN_MS;
    for (let written = 0; written < bytes.length;) {
      try {
        written += writeSync(fd, bytes, written);
      } catch (error) {
        if (!hasErrno(error, 'EAGAIN') || performance.now() > end) throw error;
        pauseThread(PAUSE_MS);
      }
    }
  } finally {
    closeSync(fd);
  }
}

/**
 * Without following a link. What cannot be given away stays ours: root may lack the right to (CAP_CHOWN), or its user
 * namespace not know of that user.
 */
export function giveAway(path: string, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  try {
    lchownSync(path, uid, gid);
  } catch (error) {
    if (!hasErrno(error, 'EPERM', 'EINVAL')) throw error;
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
    if (owner !== undefined) giveAway(temporary, owner);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}
