import { availableParallelism } from 'node:os';
import { loadBlake3 } from '../blake3.ts';
import type { Found } from '../model/proof.ts';
import { DiskSigns } from '../threads/disk-signs.ts';
import { Errands, ErrandFailed, type ThreadEnded } from '../threads/errands.ts';
import { NoThread } from '../threads/start.ts';
import { asSystemError, type SystemFailure } from '../threads/system-failure.ts';
import { followFile, type DigestErrand } from './follow.ts';

type DigestThread = Errands<DigestErrand, never, Found | undefined, SystemFailure>;

/** One hashes as fast as any link brings it; several files at once may be more. */
const MOST = Math.max(1, Math.min(2, availableParallelism() - 2));

const TELL_EVERY_MS = 200;

/** Threads that hash files while they arrive; where there can be none, it is done here. */
export class DigestThreads {
  readonly #threads: DigestThread[] = [];

  /**
   * Follows a file to its end; undefined when its arrival was ended before. `onDisk` hears whether the disk keeps it
   * waiting. Throws what reading throws.
   */
  async follow(errand: DigestErrand, onDisk: (isStuck: boolean) => void): Promise<Found | undefined> {
    const thread = this.#thread();
    if (thread === undefined) return followHere(errand, onDisk);
    try {
      return await thread.run(errand, { onSaid: () => undefined, onDisk });
    } catch (error) {
      if (!(error instanceof ErrandFailed)) throw error;
      const failure = error.failure as SystemFailure | ThreadEnded;
      throw 'kind' in failure
        ? new Error(`a thread that hashes has ended: ${failure.message}`)
        : asSystemError(failure);
    }
  }

  close(): void {
    for (const thread of this.#threads) thread.close();
  }

  #thread(): DigestThread | undefined {
    const [least] = this.#threads.toSorted((a, b) => a.active - b.active);
    if (least !== undefined && (least.active === 0 || this.#threads.length >= MOST)) return least;
    try {
      const thread: DigestThread = new Errands('digester', {});
      this.#threads.push(thread);
      return thread;
    } catch (error) {
      if (!(error instanceof NoThread)) throw error;
      return least;
    }
  }
}

async function followHere(
  errand: DigestErrand,
  onDisk: (isStuck: boolean) => void,
): Promise<Found | undefined> {
  const telling = setInterval(() => onDisk(false), TELL_EVERY_MS);
  try {
    return await followFile(errand, new DiskSigns(), loadBlake3);
  } finally {
    clearInterval(telling);
  }
}
