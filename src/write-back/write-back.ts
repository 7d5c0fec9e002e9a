import { WriteBackLock } from '../cache/write-back-lock.ts';
import { isRunning } from '../handover/server-process.ts';
import { realClock, Sleeper } from './clock.ts';
import type { Level } from '../log-event.ts';
import { isoTime, type WriteBackEvent } from './lines.ts';
import type { WriteBackLoop } from './loop.ts';
import type { WriteBackOrder } from './order.ts';
import { createLoop } from './start.ts';

const TRY_LOCK_EVERY = 10_000;
const CHECK_SERVER_EVERY = 500;

export interface WriteBackTools {
  /** Of the passes. */
  readonly env: NodeJS.ProcessEnv;
  readonly say: (level: Level, event: WriteBackEvent, message: string) => void;
}

/** The one write-back of a dir, in a process of its own or in the one that stays in front of the server. */
export class WriteBack {
  readonly #order: WriteBackOrder;
  readonly #tools: WriteBackTools;
  readonly #sleeper = new Sleeper(realClock);
  #loop: WriteBackLoop | undefined;
  #isStopped = false;

  constructor(order: WriteBackOrder, tools: WriteBackTools) {
    this.#order = order;
    this.#tools = tools;
  }

  /** Until the server ends, nothing new comes any more, or somebody stops it. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.#run();
    } catch (error) {
      this.#tools.say('warn', 'write-back.failed', `nothing will be uploaded by itself: ${String(error)}`);
    }
  }

  async #run(): Promise<void> {
    const { dir, server } = this.#order;
    const { env, say } = this.#tools;
    say('debug', 'write-back.started', `write-back of ${dir} for PID ${server.pid}, in ${process.pid}`);
    const lock = await this.#takeLock();
    if (lock === undefined) return;
    const onState = (state: 'waiting' | 'uploading'): void =>
      lock.say({ pid: process.pid, server: server.pid, state, since: isoTime(new Date()) });
    onState('waiting');
    this.#loop = createLoop(this.#order, { env, say, onState });
    if (this.#isStopped) this.#loop.stop();
    await this.#loop.run();
    await lock.release();
  }

  /** What is under way is parked, and killed when the grace is over. */
  stop(): void {
    this.#isStopped = true;
    this.#sleeper.wake();
    this.#loop?.stop();
  }

  /**
   * The write-back of a former server may still be at its last pass. Undefined when there is no need any more; tried at
   * least once, since a server that has ended at once may have left something.
   */
  async #takeLock(): Promise<WriteBackLock | undefined> {
    do {
      const lock = await WriteBackLock.tryTake(this.#order);
      if (lock !== undefined) return lock;
      this.#tools.say('debug', 'write-back.waiting', 'write-back: another one has this dir');
      const nextTry = realClock.now() + TRY_LOCK_EVERY;
      while (this.#isNeeded() && realClock.now() < nextTry) await this.#sleeper.sleep(CHECK_SERVER_EVERY);
    } while (this.#isNeeded());
    return undefined;
  }

  #isNeeded(): boolean {
    return !this.#isStopped && isRunning(this.#order.server);
  }
}
