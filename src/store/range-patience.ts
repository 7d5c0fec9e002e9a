import { isCounted } from '../countdown.ts';

const SHARE = 3;
const AT_LEAST_MS = 2000;
const AT_MOST_MS = 10_000;

/**
 * How long one range may say nothing before it is asked for again on another connection, in milliseconds. It is a part
 * of what the whole store is given (`stall`): while there is time left, a second try may go through. 0 is never.
 */
export function rangePatience(stall: number): number {
  if (!isCounted(stall)) return 0;
  return Math.min(stall, AT_MOST_MS, Math.max(AT_LEAST_MS, stall / SHARE));
}

/** Whoever watches over the whole store knows more, and shall be first. */
export function longer(patience: number): number {
  return isCounted(patience) ? patience + 1000 : 0;
}
