import { spawn, type ChildProcess } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { hasErrno } from '../errors.ts';
import type { LockState } from '../model/leftovers.ts';

/** Looked at before PATH, which may name a folder of a network that is dead. */
export const FLOCK_PLACES = ['/usr/bin/flock', '/bin/flock', '/usr/local/bin/flock'];
let program: string | undefined;

/**
 * Locks an open file for as long as it stays open, by flock(1): Node has no call of its own. The lock belongs to the
 * open file, so it outlives the helper and ends with our last descriptor, a kill included.
 * Answers `held` when someone else has it, `unknown` where there is no flock. Never throws for what the system lacks.
 */
export async function tryLock(file: FileHandle): Promise<'locked' | 'held' | 'unknown'> {
  return flock(file, '-x');
}

/**
 * Takes a lock that others may have, too, but none of whom `tryLock`s: to hand a lock on to another descriptor, both
 * share it for a moment.
 */
export async function tryShare(file: FileHandle): Promise<boolean> {
  return (await flock(file, '-s')) === 'locked';
}

function flock(file: FileHandle, kind: '-x' | '-s'): Promise<'locked' | 'held' | 'unknown'> {
  const child = startFlock(file.fd, kind);
  if (child === undefined) return Promise.resolve('unknown');
  return new Promise((resolve) => {
    child.once('error', () => resolve('unknown'));
    child.once('exit', (code) => resolve(code === 0 ? 'locked' : code === 1 ? 'held' : 'unknown'));
  });
}

/**
 * The lock of the file at `path`. To find out, a free lock is taken for a moment. A link is not followed, and a pipe
 * that somebody planted is not waited for. What is not there is free.
 */
export async function lockOf(path: string): Promise<LockState> {
  try {
    const file = await openToLock(path);
    try {
      const answer = await tryLock(file);
      return answer === 'locked' ? 'free' : answer;
    } finally {
      await file.close();
    }
  } catch (error) {
    return hasErrno(error, 'ENOENT') ? 'free' : 'unknown';
  }
}

/** Whether someone has the lock of the file at `path`. Where there is no flock, nothing is held. */
export async function isHeld(path: string): Promise<boolean> {
  return (await lockOf(path)) === 'held';
}

/** On NFS only what is open for writing can be locked. */
async function openToLock(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    return await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (!hasErrno(error, 'EACCES', 'EROFS', 'EPERM')) throw error;
    return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  }
}

/** Some errors of `spawn` are events of the child, others it throws. */
function startFlock(fd: number, kind: '-x' | '-s'): ChildProcess | undefined {
  program ??= FLOCK_PLACES.find((path) => existsSync(path)) ?? 'flock';
  try {
    return spawn(program, ['-n', kind, '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  } catch {
    return undefined;
  }
}
