import type { FileHandle } from 'node:fs/promises';
import { Errands, ErrandFailed, type ThreadEnded } from '../threads/errands.ts';
import { asSystemError, type SystemFailure } from '../threads/system-failure.ts';
import type { PartsErrand, PartsFound } from './part-digests.ts';

export interface ProvingEvents {
  /** The MD5 of the next part. */
  readonly onPart: (md5: string) => void;
  /** Whether the disk keeps it waiting. */
  readonly onDisk: (isStuck: boolean) => void;
}

/** A thread that reads files beside whatever else is done with them. It is started when there is one to read. */
export class PartProver {
  #thread: Errands<PartsErrand, string, PartsFound | undefined, SystemFailure> | undefined;

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
    this.#thread ??= new Errands('prover', {});
    try {
      return await this.#thread.run({ fd: file.fd, ...what }, { onSaid: onPart, onDisk }, signal);
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
}
