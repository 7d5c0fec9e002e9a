import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/**
 * Locks an open file for as long as it stays open, by flock(1): Node has no call of its own. The lock belongs to the
 * open file, so it outlives the helper and ends with our last descriptor, a kill included.
 * Answers `held` when someone else has it, `unknown` where there is no flock.
 */
export async function tryLock(file: FileHandle): Promise<'locked' | 'held' | 'unknown'> {
  return new Promise((resolve) => {
    const child = spawn('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', file.fd] });
    child.once('error', () => resolve('unknown'));
    child.once('exit', (code) => resolve(code === 0 ? 'locked' : code === 1 ? 'held' : 'unknown'));
  });
}

/**
 * Whether someone has the lock of the file at `path`. To find out, a free lock is taken for a moment. A link is not
 * followed, and a pipe that somebody planted is not waited for. Where there is no flock, nothing is held.
 */
export async function isHeld(path: string): Promise<boolean> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined);
  if (file === undefined) return false;
  try {
    return (await tryLock(file)) === 'held';
  } finally {
    await file.close();
  }
}
