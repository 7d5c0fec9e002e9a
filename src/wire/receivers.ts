import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Crew } from '../threads/crew.ts';
import { ErrandFailed, type ThreadEnded } from '../threads/errands.ts';
import type { Endpoint } from './connection.ts';
import type { FetchReply, Fetched, FetchErrand, FetchFailure, FetchSaid, ReceiverData } from './messages.ts';

export interface FetchEvents {
  /**
   * The answer is of this object; its bytes come now. By `cut` it can be made to end earlier, unless it has come so far.
   * Not told of small files.
   */
  readonly onBegun: (etag: string, cut: (end: number) => void) => void;
  /** It ends here now. */
  readonly onCut: (end: number) => void;
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

/** Enough to begin with; what a server keeps for nothing is not free. */
const AHEAD = 16;

/** To receive and to hash is more than one processor does at the speed of a fast link. */
const MOST_THAT_PROVE = Math.min(2, availableParallelism());

/** Threads that receive: whatever a disk or a connection does there, the thread that they work for goes on. */
export class Receivers {
  readonly #crew: Crew<FetchErrand, FetchSaid, Fetched, FetchFailure, FetchReply>;
  readonly #most: number;

  constructor(endpoint: Endpoint, patience: number, most: number) {
    const data: ReceiverData = { endpoint, patience };
    this.#crew = new Crew('receiver', data);
    this.#most = most;
  }

  /** Something is to be fetched soon, over so many connections at most: what takes time is begun. */
  prepare(connections: number): void {
    // Libuv has its threads first, which it starts with the first thing that it is asked for: where there is room for
    // few, it would end the process.
    stat('/').catch(() => undefined);
    const more: Pick<ReceiverData, 'ahead'> = { ahead: Math.min(AHEAD, connections) };
    this.#crew.beginAhead(more);
  }

  /**
   * Fetches one range. Settles when the thread has let go of it, with `FetchFailed` if it did not come, or was stopped by
   * `signal`: only then may its file be closed. Throws NoThread.
   */
  async fetch(errand: FetchErrand, events: FetchEvents, signal: AbortSignal | undefined): Promise<Fetched> {
    const { onBegun, onBytes, onCut, onDiskBusy } = events;
    const onSaid = (said: FetchSaid, reply: (reply: FetchReply) => void): void => {
      if (said.kind === 'moved') onBytes(said.bytes);
      else if (said.kind === 'cut') onCut(said.end);
      else onBegun(said.etag, (end) => reply({ end }));
    };
    const onDisk = (isStuck: boolean): void => {
      if (isStuck) onDiskBusy();
    };
    const most = errand.parts === undefined ? this.#most : Math.max(this.#most, MOST_THAT_PROVE);
    try {
      const fetched = await this.#crew.least(most).run(errand, { onSaid, onDisk }, signal);
      onBytes(fetched.moved);
      return fetched;
    } catch (error) {
      if (!(error instanceof ErrandFailed)) throw error;
      const failure = error.failure as FetchFailure | ThreadEnded;
      if (failure.kind !== 'thread-ended' && failure.moved > 0) onBytes(failure.moved);
      throw new FetchFailed(failure);
    }
  }

  /** Of the time since this was asked last, the share in which no thread could have received more; 0 to 1. */
  takeLoad(): number {
    return this.#crew.takeLeastLoad();
  }

  close(): void {
    this.#crew.close();
  }
}
