import { parentPort, workerData } from 'node:worker_threads';
import { DiskSigns } from './disk-signs.ts';
import type { FromThread, ToThread } from './errands.ts';
import { threadHasBegun } from './frugal.ts';
import { Outbox } from './outbox.ts';
import type { ThreadData } from './thread-data.ts';

/** How a thread goes on an errand. */
export interface Errander<Errand, Said, Result, Failure, Reply> {
  readonly go: (errand: Errand, id: number, tell: Tell<Said>) => Promise<Result>;
  readonly stop: (id: number) => void;
  /** What was replied to what an errand has said; it may be over by now. */
  readonly hear?: (id: number, reply: Reply) => void;
  readonly failureOf: (error: unknown) => Failure;
}

/** What is told on the way, in its order. */
export interface Tell<Said> {
  readonly say: (said: Said) => void;
  /** Nobody waits for it: it crosses with others, in the next milliseconds. */
  readonly saySoon: (said: Said) => void;
}

/** By which this thread shows what the disk does to it. */
export function ownDiskSigns(): DiskSigns {
  return new DiskSigns((workerData as ThreadData).signs);
}

/** Of a thread that has begun: goes on every errand that it is sent on, until it is ended. */
export function serve<Errand, Said, Result, Failure, Reply = never>({
  go,
  stop,
  hear,
  failureOf,
}: Errander<Errand, Said, Result, Failure, Reply>): void {
  if (parentPort === null) throw new Error('this is a thread of a program, and no program');
  const outbox = new Outbox<FromThread<Said, Result, Failure>>(parentPort);
  threadHasBegun((workerData as ThreadData).beginning);
  const begin = (id: number, errand: Errand): void => {
    const tell: Tell<Said> = {
      say: (said) => outbox.put({ kind: 'said', id, said }),
      saySoon: (said) => outbox.putSoon({ kind: 'said', id, said }),
    };
    go(errand, id, tell).then(
      (result) => outbox.put({ kind: 'done', id, result }),
      (error: unknown) => outbox.put({ kind: 'failed', id, failure: failureOf(error) }),
    );
  };
  parentPort.on('message', (messages: readonly ToThread<Errand, Reply>[]) => {
    for (const message of messages) {
      if (message.kind === 'do') begin(message.id, message.errand);
      else if (message.kind === 'reply') hear?.(message.id, message.reply);
      else stop(message.id);
    }
  });
}
