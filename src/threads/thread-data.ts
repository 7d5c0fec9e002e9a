import type { Beginning } from './frugal.ts';

/** What every thread is started with, beside what is its own. */
export interface ThreadData {
  /** By which it shows what the disk does to it. */
  readonly signs: SharedArrayBuffer;
  readonly beginning: Beginning;
}
