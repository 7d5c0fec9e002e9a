/** Node counts to 2³¹ − 1 ms; a longer timer would fire at once. */
const LONGEST = 2 ** 31 - 1;

/** Calls `act` after so many milliseconds, unless cleared. 0 is never, and so is more than three weeks. */
export function countdown(milliseconds: number, act: () => void): NodeJS.Timeout | undefined {
  return isCounted(milliseconds) ? setTimeout(act, milliseconds) : undefined;
}

export function isCounted(milliseconds: number): boolean {
  return milliseconds > 0 && milliseconds <= LONGEST;
}
