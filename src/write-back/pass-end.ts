import type { PassEnd } from '../model/write-back-step.ts';

/** Exit codes by which a pass tells how it ended. */
export const EXIT_DONE = 0;
/** Not 1, with which Node itself ends a program that cannot even begin. */
export const EXIT_LEFT_SOME = 3;
export const EXIT_LATER = 75;
export const EXIT_NEVER = 77;

/** Whatever ends a pass otherwise (a signal, a crash, no such program) may be better the next time. */
export function passEndOf(exitCode: number | null): PassEnd {
  if (exitCode === EXIT_DONE) return 'done';
  if (exitCode === EXIT_LEFT_SOME) return 'left-some';
  return exitCode === EXIT_NEVER ? 'never' : 'later';
}
