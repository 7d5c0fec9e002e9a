import { availableParallelism } from 'node:os';
import type { Found } from '../model/proof.ts';
import { Errands, ErrandFailed, type ThreadEnded } from '../threads/errands.ts';
import { asSystemError, type SystemFailure } from '../threads/system-failure.ts';
import type { DigestErrand } from './follow.ts';

type DigestThread = Errands<DigestErrand, never, Found | undefined, SystemFailure>;

/** One hashes as fast as any link brings it; several files at once may be more. */
const MOST = Math.max(1, Math.min(2, availableParallelism() - 2));

/** Threads that hash files while they arrive. */
export class DigestThreads {
  readonly #threads: DigestThread[] = [];

  /**
   * Follows a file to its end; undefined when its arrival was ended before. `onDisk` hears whether the disk keeps it
   * waiting. Throws what reading throws.
   */
  async follow(errand: DigestErrand, onDisk: (isStuck: boolean) => void): Promise<Found | undefined> {
    try {
      return await this.#thread().run(errand, { onSaid: () => undefined, onDisk });
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

  #thread(): DigestThread {
    const [least] = this.#threads.toSorted((a, b) => a.active - b.active);
    if (least !== undefined && (least.active === 0 || this.#threads.length >= MOST)) return least;
    const thread: DigestThread = new Errands('digester', {});
    this.#threads.push(thread);
    return thread;
  }
}
