import { availableParallelism } from 'node:os';
import { loadBlake3 } from '../blake3.ts';
import type { Found } from '../model/proof.ts';
import { Crew } from '../threads/crew.ts';
import { DiskSigns } from '../threads/disk-signs.ts';
import { thrownHere } from '../threads/errands.ts';
import { NoThread } from '../threads/start.ts';
import type { SystemFailure } from '../threads/system-failure.ts';
import { followFile, type DigestErrand } from './follow.ts';

/** One hashes as fast as any link brings it; several files at once may be more. */
const MOST = Math.max(1, Math.min(2, availableParallelism() - 2));

const TELL_EVERY_MS = 200;

/** Threads that hash files while they arrive; where there can be none, it is done here. */
export class DigestThreads {
  readonly #crew = new Crew<DigestErrand, never, Found | undefined, SystemFailure>('digester', {});

  /**
   * Follows a file to its end; undefined when its arrival was ended before. `onDisk` hears whether the disk keeps it
   * waiting. Throws what reading throws.
   */
  async follow(errand: DigestErrand, onDisk: (isStuck: boolean) => void): Promise<Found | undefined> {
    try {
      return await this.#crew.run(MOST, errand, { onSaid: () => undefined, onDisk });
    } catch (error) {
      if (error instanceof NoThread) return followHere(errand, onDisk);
      throw thrownHere(error);
    }
  }

  close(): void {
    this.#crew.close();
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
