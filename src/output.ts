import { writeSync } from 'node:fs';
import { hasErrno, ModelCacheError, toModelCacheError } from './errors.ts';
import { pauseThread } from './pause-thread.ts';

const PAUSE_MS = 10;

/** Writes all of a text to a descriptor: a full one is waited for. What cannot be written is lost without a word. */
export function writeAll(fd: number, text: string): void {
  try {
    writeWhole(fd, text);
  } catch {
    // A full disk, or nobody is reading.
  }
}

/** The same for what was asked for: throws `disk-full` or `disk-failed`, unless nobody is reading any more. */
export function print(text: string): void {
  try {
    writeWhole(1, text);
  } catch (error) {
    if (hasErrno(error, 'EPIPE', 'EBADF')) return;
    const { code, message } = toModelCacheError(error);
    throw new ModelCacheError(code, `stdout took not all of what was to be printed: ${message}`, {
      hint: 'what it has got is of no use',
      cause: error,
    });
  }
}

function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if (!hasErrno(error, 'EAGAIN')) throw error;
      pauseThread(PAUSE_MS);
    }
  }
}
