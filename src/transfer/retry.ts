import { setTimeout as sleep } from 'node:timers/promises';

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
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1)) * (0.5 + Math.random());
      await sleep(pause, undefined, { signal });
    }
  }
}
