import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { hasErrno } from './errors.ts';
import { pauseThread } from './pause-thread.ts';

const { O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;
/** How long a reader is waited for, since it last took something. */
const READER_WITHIN_MS = 1000;
const PAUSE_MS = 10;

/**
 * Writes lines to a descriptor, each at once: nothing is in flight when this process becomes another. A reader that has
 * stopped reading (a full pipe, a terminal that is held) must not stop a start: a second later, lines are lost. Never
 * throws.
 */
export class LineWriter {
  readonly #fd: number;
  #own: number | undefined;
  /** Since when it has taken nothing. */
  #stuckSince: number | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** A line with its end. Below 4 KiB, a pipe takes it whole or not at all. */
  write(line: string): void {
    try {
      this.#own ??= openedAnew(this.#fd);
      let rest = Buffer.from(line);
      while (rest.length > 0) {
        const written = writtenOf(this.#own, rest);
        if (written === 0 && !this.#mayWait()) return;
        if (written > 0) this.#stuckSince = undefined;
        rest = rest.subarray(written);
      }
    } catch {
      // Closed, or nobody reads any more.
    }
  }

  /** Whether it was worth the while: who has been waited for in vain is not waited for again, until something is read. */
  #mayWait(): boolean {
    this.#stuckSince ??= performance.now();
    if (performance.now() > this.#stuckSince + READER_WITHIN_MS) return false;
    pauseThread(PAUSE_MS);
    return true;
  }
}

/**
 * A pipe or a terminal, opened once more so that writing to it does not block, and without making the server's own
 * descriptor so. Where it cannot be (a socket, without /proc, for another user than the pipe's), it is that one, and a
 * write may wait.
 */
function openedAnew(fd: number): number {
  const stats = fstatSync(fd);
  if (!stats.isFIFO() && !stats.isCharacterDevice()) return fd;
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return fd;
  }
}

/** 0: the reader has to read first. */
function writtenOf(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if (hasErrno(error, 'EAGAIN')) return 0;
    throw error;
  }
}
