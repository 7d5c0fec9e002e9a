import { constants } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ModelCacheError } from '../errors.ts';
import { SignalPipe } from './signal-pipe.ts';

/** Those that come most often first: they are given back first. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** For a server that is not there yet. Without a handler the one would open Node's debugger, and the other end the start. */
const NOT_FOR_US = ['SIGUSR1', 'SIGUSR2'] as const;

/**
 * Catches the signals that ask a process to stop, from the program's first line on: as PID 1, a signal without a
 * handler is ignored by the kernel. What is caught aborts `signal`; nothing is ever ended from here.
 */
export class SignalWatch {
  readonly #controller = new AbortController();
  readonly #onSignal = (name: StopSignal): void => {
    this.#caught ??= name;
    this.#controller.abort(new ModelCacheError('interrupted', `stopped by ${name}`));
  };
  #caught: StopSignal | undefined;

  constructor() {
    for (const name of STOP_SIGNALS) process.on(name, this.#onSignal);
    for (const name of NOT_FOR_US) process.on(name, ignore);
  }

  /** Aborts with an `interrupted` error. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Lets the event loop deliver what the kernel has given us already, and says what came. */
  async caught(): Promise<StopSignal | undefined> {
    await nextTurn();
    return this.#caught;
  }

  /**
   * The same, and where nothing came, these signals do what they do by default from then on. What comes between the one and
   * the other is still caught, by libuv, which tells nobody any more: it is found in its pipe.
   */
  releaseUnlessCaught(): Promise<StopSignal | undefined> {
    return new Promise((resolve) => {
      setImmediate(() => {
        if (this.#caught === undefined) {
          const pipe = SignalPipe.find();
          this.release();
          const waiting = pipe.waiting();
          this.#caught = STOP_SIGNALS.find((name) => waiting.includes(constants.signals[name]));
        }
        resolve(this.#caught);
      });
    });
  }

  /** From here on these signals do what they do by default. */
  release(): void {
    for (const name of STOP_SIGNALS) process.off(name, this.#onSignal);
    for (const name of NOT_FOR_US) process.off(name, ignore);
  }
}

function ignore(): void {
  // By being there.
}

/** The exit code by which a shell and a container runtime know that a signal ended a process. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
