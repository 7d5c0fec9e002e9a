import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError } from '../errors.ts';
import { LOOK_AT_STORE } from '../store/stalled.ts';
import type { Progress } from './progress.ts';

/** When to give up on a store. Milliseconds and bytes per second; undefined or 0: never. */
export interface Patience {
  readonly stall: number;
  readonly minSpeed: number;
  /** How long the speed must be too low. */
  readonly speedWindow: number;
  /** From `startedAt`, everything included. */
  readonly timeout: number | undefined;
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** How long what was stopped may take to clean up after itself. */
  readonly grace: number;
}

const LOOK_EVERY_MS = 200;
/** Who looks so late was stopped (`docker pause`), and what has come meanwhile is not heard yet. */
const FROZEN_MS = 2000;

/**
 * Runs `work` with a signal that aborts when the store keeps it waiting too long, or when `outer` aborts. The reason
 * of the abort is the error to show. What was stopped gets `grace` to clean up, and is then left behind.
 */
export async function withPatience<T>(
  patience: Patience,
  progress: Progress,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const giveUp = (error: unknown): void => controller.abort(error);
  const onOuter = (): void => giveUp(outer.reason);
  const speed = new SpeedWindow(patience, progress);
  let lookedAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - lookedAt > FROZEN_MS) {
      progress.beginAnew();
      speed.restart(now);
    }
    lookedAt = now;
    const reason = reasonToStop(patience, progress, speed, now);
    if (reason !== undefined) giveUp(reason);
  }, LOOK_EVERY_MS);
  outer.addEventListener('abort', onOuter, { once: true });
  const aborted = once(controller.signal);
  try {
    outer.throwIfAborted();
    const working = work(controller.signal);
    await Promise.race([working.catch(() => undefined), aborted]);
    if (!controller.signal.aborted) return await working;
    await Promise.race([working.catch(() => undefined), sleep(patience.grace)]);
    throw controller.signal.reason;
  } finally {
    clearInterval(timer);
    outer.removeEventListener('abort', onOuter);
  }
}

function once(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function reasonToStop(
  patience: Patience,
  progress: Progress,
  speed: SpeedWindow,
  now: number,
): ModelCacheError | undefined {
  const { stall, timeout, startedAt } = patience;
  if (timeout !== undefined && now - startedAt > timeout) {
    return new ModelCacheError('store-timeout', `not done after ${seconds(timeout)} (--timeout)`, {
      hint: 'what is here stays; give it longer with --timeout',
    });
  }
  if (stall > 0 && progress.waiting > 0 && now - progress.lastSign > stall) {
    return new ModelCacheError(
      'store-stalled',
      `nothing came from the store for ${seconds(stall)} (--stall)`,
      {
        hint: LOOK_AT_STORE,
      },
    );
  }
  if (stall > 0 && progress.diskBusyMs(now) > stall) {
    return new ModelCacheError('disk-stalled', `the disk took nothing for ${seconds(stall)} (--stall)`, {
      hint: 'look after the disk; another dir is --dir',
    });
  }
  if (stall > 0 && progress.readingDisk > 0 && now - progress.lastDiskSign > stall) {
    return new ModelCacheError('disk-stalled', `the disk gave nothing for ${seconds(stall)} (--stall)`, {
      hint: 'look after the disk; another dir is --dir',
    });
  }
  return speed.reasonToStop(now);
}

/** What a finished file counts for beside its bytes: many small ones take their time by latency, not by a slow link. */
const BYTES_FOR_A_FILE = 512 * 1024;

/** What moved over the last `speedWindow`, counted only while something is waited for. */
class SpeedWindow {
  readonly #patience: Patience;
  readonly #progress: Progress;
  #start = 0;
  #movedAtStart = 0;

  constructor(patience: Patience, progress: Progress) {
    this.#patience = patience;
    this.#progress = progress;
    this.restart(performance.now());
  }

  reasonToStop(now: number): ModelCacheError | undefined {
    const { minSpeed, speedWindow } = this.#patience;
    const isMovingBytes = this.#progress.waiting > 0 && this.#progress.bytesTotal > 0;
    if (minSpeed <= 0 || !isMovingBytes) this.restart(now);
    if (now - this.#start < speedWindow) return undefined;
    const speed = ((this.#moved() - this.#movedAtStart) * 1000) / (now - this.#start);
    this.restart(now);
    if (speed >= minSpeed) return undefined;
    return new ModelCacheError('store-slow', `slower than --min-speed over ${seconds(speedWindow)}`, {
      wanted: `${(minSpeed / 1e6).toFixed(1)} MB/s`,
      found: `${(speed / 1e6).toFixed(1)} MB/s`,
      hint: 'find the faster way, or lower --min-speed where the Hub is slower still',
    });
  }

  #moved(): number {
    return this.#progress.bytesCome + this.#progress.filesDone * BYTES_FOR_A_FILE;
  }

  restart(now: number): void {
    this.#start = now;
    this.#movedAtStart = this.#moved();
  }
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`;
}
