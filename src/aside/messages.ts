import type { LogEvent } from '../log-event.ts';
import type { Log } from '../log.ts';
import type { Report } from '../report.ts';
import type { Settings } from '../settings/settings.ts';
import type { Ready } from '../stages/make-ready.ts';

/** What a start is to do with disks, for a process that may be left behind. Plain values: they are sent as JSON. */
export interface StartOrder {
  /** What was wrong with them has been told. */
  readonly settings: Omit<Settings, 'problems' | 'storeProblem'>;
  /** Message and code of what is wrong with the store. */
  readonly storeProblem: PlainError | undefined;
  readonly server: readonly string[];
  /** Network volumes that it will touch, and that have to answer all the time. It touches no others. */
  readonly answering: readonly string[];
  /** Milliseconds since what --timeout is counted from. */
  readonly startedAgo: number;
}

interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

export type ToBehind =
  | { readonly kind: 'make-ready'; readonly order: StartOrder }
  | { readonly kind: 'keep-report'; readonly report: Report };

export type FromBehind =
  /** Its event loop turns, and every network volume answers. `dir` is the one it works in, when it is chosen. */
  | { readonly kind: 'alive'; readonly dir: string | null }
  | {
      readonly kind: 'said';
      readonly level: keyof Log;
      readonly event: LogEvent;
      readonly message: string;
      readonly code?: string | undefined;
    }
  | { readonly kind: 'ready'; readonly ready: Ready; readonly report: Report }
  | { readonly kind: 'report-kept' }
  /** A bug: there will be no answer. */
  | { readonly kind: 'failed'; readonly message: string };
