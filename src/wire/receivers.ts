import { availableParallelism } from 'node:os';
import { Errands, ErrandFailed, type ThreadEnded } from '../threads/errands.ts';
import type { Endpoint } from './connection.ts';
import type { Fetched, FetchErrand, FetchFailure, FetchSaid, ReceiverData } from './messages.ts';

export interface FetchEvents {
  /** The answer is of this object; its bytes come now. Not told of small files. */
  readonly onBegun: (etag: string) => void;
  /** So many bytes more were written. */
  readonly onBytes: (count: number) => void;
  /** The disk takes long to take what has come. */
  readonly onDiskBusy: () => void;
}

export class FetchFailed extends Error {
  readonly failure: FetchFailure | ThreadEnded;

  constructor(failure: FetchFailure | ThreadEnded) {
    super(failure.kind);
    this.failure = failure;
  }
}

/** To receive and to hash is more than one processor does at the speed of a fast link. */
const MOST_THAT_PROVE = Math.min(2, availableParallelism());

type Receiver = Errands<FetchErrand, FetchSaid, Fetched, FetchFailure>;

/** Threads that receive: whatever a disk or a connection does there, the thread that they work for goes on. */
export class Receivers {
  readonly #data: Omit<ReceiverData, 'signs'>;
  readonly #most: number;
  readonly #threads: Receiver[] = [];

  constructor(endpoint: Endpoint, patience: number, most: number) {
    this.#data = { endpoint, patience };
    this.#most = most;
  }

  /**
   * Fetches one range. Settles when the thread has let go of it, with `FetchFailed` if it did not come, or was stopped by
   * `signal`: only then may its file be closed.
   */
  async fetch(errand: FetchErrand, events: FetchEvents, signal: AbortSignal | undefined): Promise<Fetched> {
    const { onBegun, onBytes, onDiskBusy } = events;
    const onSaid = (said: FetchSaid): void => {
      if (said.kind === 'begun') onBegun(said.etag);
      else onBytes(said.bytes);
    };
    const onDisk = (isStuck: boolean): void => {
      if (isStuck) onDiskBusy();
    };
    try {
      const fetched = await this.#receiver(errand).run(errand, { onSaid, onDisk }, signal);
      onBytes(fetched.moved);
      return fetched;
    } catch (error) {
      if (!(error instanceof ErrandFailed)) throw error;
      const failure = error.failure as FetchFailure | ThreadEnded;
      if (failure.kind !== 'thread-ended' && failure.moved > 0) onBytes(failure.moved);
      throw new FetchFailed(failure);
    }
  }

  close(): void {
    for (const thread of this.#threads) thread.close();
  }

  /** The least busy one, or one more while all are, and while there can be one. Throws NoThread. */
  #receiver({ parts }: FetchErrand): Receiver {
    const most = parts === undefined ? this.#most : Math.max(this.#most, MOST_THAT_PROVE);
    const [least] = this.#threads.toSorted((a, b) => a.active - b.active);
    if (least !== undefined && (least.active === 0 || this.#threads.length >= most)) return least;
    try {
      const thread: Receiver = new Errands('receiver', this.#data);
      this.#threads.push(thread);
      return thread;
    } catch (error) {
      if (least === undefined) throw error;
      return least;
    }
  }
}
