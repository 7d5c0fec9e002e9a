import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { hasErrno } from '../errors.ts';

const { O_NOFOLLOW, O_RDONLY } = constants;
/** A start is not kept waiting longer: what was not flushed is hashed once more after a boot, nothing else. */
const WITHIN_MS = 10_000;

/**
 * Brings files to the disk, one after the other: each takes one of the few threads that all file calls share. A disk
 * that is too slow for it, or does not answer, is asked once.
 */
export class Flusher {
  readonly #turns = pLimit(1);
  readonly #withinMs: number;
  #isTooSlow = false;

  constructor(withinMs = WITHIN_MS) {
    this.#withinMs = withinMs;
  }

  /** Returns whether it was done. Throws what the disk says, and the reason of `signal`. */
  flush(path: string, signal: AbortSignal): Promise<boolean> {
    return this.#turns(async () => {
      signal.throwIfAborted();
      if (this.#isTooSlow) return false;
      const flushing = flushIfPossible(path);
      const isOver = new AbortController();
      const late = sleep(this.#withinMs, 'late' as const, {
        signal: AbortSignal.any([signal, isOver.signal]),
      }).catch(() => 'stopped' as const);
      try {
        const answer = await Promise.race([flushing, late]);
        if (typeof answer === 'boolean') return answer;
      } finally {
        isOver.abort();
      }
      flushing.catch(() => undefined);
      signal.throwIfAborted();
      this.#isTooSlow = true;
      return false;
    });
  }
}

/**
 * Returns false where the file cannot be opened, or its file system knows no flushing. The descriptor is its own:
 * closing one waits for what was asked of it, and nobody may have to wait for a flush that was given up.
 */
async function flushIfPossible(path: string): Promise<boolean> {
  const file = await open(path, O_RDONLY | O_NOFOLLOW).catch(() => undefined);
  if (file === undefined) return false;
  try {
    await file.datasync();
    return true;
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP')) return false;
    throw error;
  } finally {
    await file.close();
  }
}
