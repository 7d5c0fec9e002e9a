import { setTimeout as sleep } from 'node:timers/promises';
import { toModelCacheError } from '../errors.ts';
import { isWorthRetrying } from '../store/store.ts';

const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 10_000;

/** Tries again, with growing random pauses, while `isWorthIt`. The last error is thrown. */
export async function withRetries<T>(
  attempts: number,
  isWorthIt: (error: unknown) => boolean,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (failures >= attempts || !isWorthIt(error)) throw error;
      await pauseAfter(failures, LONGEST_PAUSE_MS, signal);
    }
  }
}

const ATTEMPTS = 5;
/** A store that is begun anew, or has too much to do, is there again after so many milliseconds. */
const PASSES_WITHIN: Readonly<Record<string, number>> = {
  'store-unreachable': 5000,
  'store-throttled': 10_000,
};
const LONGEST_PAUSE_OF_A_GET_MS = 1200;
/** A try that brings less is none that anybody could wait for. */
const NEWS_BYTES = 256 * 1024;

/**
 * The same for what brings bytes with each try: five times in a row without some, and for longer where the store is not
 * there or has too much to do. `reached` says how far it has come. Throws what no other try will better at once.
 */
export async function persistently<T>(
  signal: AbortSignal,
  attempt: () => Promise<T>,
  reached: () => number = () => 0,
): Promise<T> {
  let best = reached();
  let failures = 0;
  let failedSince = 0;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!isWorthRetrying(error)) throw error;
      if (reached() - best >= NEWS_BYTES) failures = 0;
      best = reached();
      failures += 1;
      if (failures === 1) failedSince = performance.now();
      const passesAt = failedSince + (PASSES_WITHIN[toModelCacheError(error).code] ?? 0);
      if (failures >= ATTEMPTS && performance.now() >= passesAt) throw error;
      await pauseAfter(failures, LONGEST_PAUSE_OF_A_GET_MS, signal);
    }
  }
}

async function pauseAfter(failures: number, longest: number, signal: AbortSignal): Promise<void> {
  const pause = Math.min(longest, FIRST_PAUSE_MS * 2 ** (failures - 1)) * (0.5 + Math.random());
  await sleep(pause, undefined, { signal });
}
