import { setTimeout as sleep } from 'node:timers/promises';

const WITHIN_MS = 90_000;

/**
 * Looks every `pollMs` until there is something to see, and returns it; undefined and false are nothing. Rejects after
 * a minute and a half, which only a hang takes, with what was wanted.
 */
export async function eventually<Seen>(
  wanted: string,
  look: () => Promise<Seen | undefined | false> | Seen | undefined | false,
  pollMs = 100,
): Promise<Seen> {
  const deadline = Date.now() + WITHIN_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > deadline) throw new Error(`wanted ${wanted}, found none in ${WITHIN_MS / 1000} s`);
    await sleep(pollMs);
  }
}
