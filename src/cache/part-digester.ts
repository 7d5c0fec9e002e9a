import type { FileHandle } from 'node:fs/promises';
import { loadBlake3 } from '../blake3.ts';
import { Crew } from '../threads/crew.ts';
import { DiskSigns } from '../threads/disk-signs.ts';
import { thrownHere } from '../threads/errands.ts';
import { NoThread } from '../threads/start.ts';
import type { SystemFailure } from '../threads/system-failure.ts';
import { digestParts, type PartsErrand, type PartsFound } from './part-digests.ts';

export interface ProvingEvents {
  /** The MD5 of the next part. */
  readonly onPart: (md5: string) => void;
  /** Whether the disk keeps it waiting. */
  readonly onDisk: (isStuck: boolean) => void;
}

/**
 * A thread that reads files beside whatever else is done with them, started when there is one to read; where there can
 * be none, they are read here.
 */
export class PartDigester {
  readonly #crew = new Crew<PartsErrand, string, PartsFound | undefined, SystemFailure>('part-digester', {});

  /**
   * Hashes an open file. Settles when nothing of it is read any more; undefined when `signal` has stopped it. Throws what
   * reading throws.
   */
  async prove(
    file: FileHandle,
    what: Omit<PartsErrand, 'fd'>,
    { onPart, onDisk }: ProvingEvents,
    signal: AbortSignal,
  ): Promise<PartsFound | undefined> {
    if (signal.aborted) return undefined;
    const errand = { fd: file.fd, ...what };
    try {
      return await this.#crew.run(1, errand, { onSaid: onPart, onDisk }, signal);
    } catch (error) {
      if (!(error instanceof NoThread)) throw thrownHere(error);
    }
    const isStopped = (): boolean => signal.aborted;
    return digestParts(errand, new DiskSigns(), loadBlake3(), isStopped, (md5) => {
      onPart(md5);
      onDisk(false);
    });
  }

  close(): void {
    this.#crew.close();
  }
}
