import type { FileHandle } from 'node:fs/promises';
import { loadBlake3 } from '../blake3.ts';
import { DiskSigns } from '../threads/disk-signs.ts';
import { Errands, ErrandFailed, type ThreadEnded } from '../threads/errands.ts';
import { NoThread } from '../threads/start.ts';
import { asSystemError, type SystemFailure } from '../threads/system-failure.ts';
import { digestParts, type PartsErrand, type PartsFound } from './part-digests.ts';

export interface ProvingEvents {
  /** The MD5 of the next part. */
  readonly onPart: (md5: string) => void;
  /** Whether the disk keeps it waiting. */
  readonly onDisk: (isStuck: boolean) => void;
}

type PartsThread = Errands<PartsErrand, string, PartsFound | undefined, SystemFailure>;

/**
 * A thread that reads files beside whatever else is done with them, started when there is one to read; where there can
 * be none, they are read here.
 */
export class PartDigester {
  #thread: PartsThread | undefined;

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
    const thread = this.#startedThread();
    if (thread === undefined)
      return digestParts(
        { fd: file.fd, ...what },
        new DiskSigns(),
        loadBlake3(),
        () => signal.aborted,
        (md5) => {
          onPart(md5);
          onDisk(false);
        },
      );
    try {
      return await thread.run({ fd: file.fd, ...what }, { onSaid: onPart, onDisk }, signal);
    } catch (error) {
      if (!(error instanceof ErrandFailed)) throw error;
      const failure = error.failure as SystemFailure | ThreadEnded;
      throw 'kind' in failure
        ? new Error(`a thread that hashes has ended: ${failure.message}`)
        : asSystemError(failure);
    }
  }

  close(): void {
    this.#thread?.close();
  }

  #startedThread(): PartsThread | undefined {
    try {
      return (this.#thread ??= new Errands('part-digester', {}));
    } catch (error) {
      if (!(error instanceof NoThread)) throw error;
      return undefined;
    }
  }
}
