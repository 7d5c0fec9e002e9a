import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Crew } from '../threads/crew.ts';
import { ErrandFailed, type ErrandEvents, type ThreadEnded } from '../threads/errands.ts';
import type { Endpoint } from './connection.ts';
import type {
  Fetched,
  FetchErrand,
  FetchFailure,
  FetchReply,
  FetchSaid,
  FilesErrand,
  MadeFile,
  RangeErrand,
  ReceiverData,
} from './messages.ts';

export interface FetchEvents {
  /** So many bytes more were written. */
  readonly onBytes: (count: number) => void;
  /** The disk takes long to take what has come. */
  readonly onDiskBusy: () => void;
}

export interface RangeEvents extends FetchEvents {
  /** The answer is of this object; its bytes come now. By `cut` it can be made to end earlier, unless it has come so far. */
  readonly onBegun: (etag: string, cut: (end: number) => void) => void;
  /** It ends here now. */
  readonly onCut: (end: number) => void;
}

export interface FilesEvents extends FetchEvents {
  /** The next of the files is there, in their order. */
  readonly onMade: (made: MadeFile) => void;
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
  fetch(errand: RangeErrand, events: RangeEvents, signal: AbortSignal | undefined): Promise<Fetched> {
    const { onBegun, onCut } = events;
    const onSaid = (said: FetchSaid, reply: (reply: FetchReply) => void): void => {
      if (said.kind === 'begun') onBegun(said.etag, (end) => reply({ end }));
      else if (said.kind === 'cut') onCut(said.end);
    };
    return this.#run(errand, onSaid, events, signal);
  }

  /** Makes files. The same, where one did not come: those before it are there, and those behind it were not asked for. */
  fetchFiles(errand: FilesErrand, events: FilesEvents, signal: AbortSignal | undefined): Promise<Fetched> {
    const { onBytes, onMade } = events;
    const onSaid = (said: FetchSaid): void => {
      if (said.kind !== 'made') return;
      onBytes(said.moved);
      onMade(said);
    };
    return this.#run(errand, onSaid, events, signal);
  }

  /** Of the time since this was asked last, the share in which no thread could have received more; 0 to 1. */
  takeLoad(): number {
    return this.#crew.takeLeastLoad();
  }

  close(): void {
    this.#crew.close();
  }

  async #run(
    errand: FetchErrand,
    onSaid: (said: FetchSaid, reply: (reply: FetchReply) => void) => void,
    { onBytes, onDiskBusy }: FetchEvents,
    signal: AbortSignal | undefined,
  ): Promise<Fetched> {
    const provesParts = errand.kind === 'range' && errand.parts !== undefined;
    const most = provesParts ? Math.max(this.#most, MOST_THAT_PROVE) : this.#most;
    const events: ErrandEvents<FetchSaid, FetchReply> = {
      onSaid: (said, reply) => {
        if (said.kind === 'moved') onBytes(said.bytes);
        else onSaid(said, reply);
      },
      onDisk: (isStuck) => {
        if (isStuck) onDiskBusy();
      },
    };
    try {
      const fetched = await this.#crew.run(most, errand, events, signal);
      onBytes(fetched.moved);
      return fetched;
    } catch (error) {
      if (!(error instanceof ErrandFailed)) throw error;
      const failure = error.failure as FetchFailure | ThreadEnded;
      if (failure.kind !== 'thread-ended' && failure.moved > 0) onBytes(failure.moved);
      throw new FetchFailed(failure);
    }
  }
}
