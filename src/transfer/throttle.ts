import { setTimeout as sleep } from 'node:timers/promises';

/** What may be sent at once before the limit is felt, in milliseconds of the limit. */
const BURST_MS = 250;

/** What is given to a connection at a time: the grain of progress, and of a limit. */
const PIECE = { most: 512 * 1024, least: 16 * 1024, ofLimitMs: 50 };

/** Holds back whoever sends, so that all together stay below so many bytes a second. */
export class Throttle {
  readonly #bytesPerSecond: number | undefined;
  #spentUntil = 0;

  constructor(bytesPerSecond: number | undefined) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Bytes to send at a time. */
  get piece(): number {
    const ofLimit = ((this.#bytesPerSecond ?? Infinity) * PIECE.ofLimitMs) / 1000;
    return Math.floor(Math.min(PIECE.most, Math.max(PIECE.least, ofLimit)));
  }

  /** Returns when `bytes` more may be sent. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === undefined) return;
    const turn = turnFor(bytes, this.#bytesPerSecond, this.#spentUntil, performance.now());
    this.#spentUntil = turn.spentUntil;
    if (turn.wait > 0) await sleep(turn.wait, undefined, { signal });
  }
}

/**
 * How many milliseconds to wait before sending `bytes`, and until when the limit is spent then. All times in
 * milliseconds; what was not used in the past is lost.
 */
export function turnFor(
  bytes: number,
  bytesPerSecond: number,
  spentUntil: number,
  now: number,
): { readonly wait: number; readonly spentUntil: number } {
  const spent = Math.max(now, spentUntil) + (bytes * 1000) / bytesPerSecond;
  return { wait: Math.max(0, spent - now - BURST_MS), spentUntil: spent };
}
