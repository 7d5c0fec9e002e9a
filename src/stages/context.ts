import type { StopSignal } from '../handover/signals.ts';
import type { ModelCacheError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Lock } from '../model/lock-file.ts';
import type { Reporter } from '../report.ts';
import type { Environment, Flags } from '../settings/raw.ts';
import type { Settings } from '../settings/settings.ts';

export interface Unreachable {
  has(path: string): boolean;
}

/** What every stage may use. Nothing here is global: run.ts makes one, and aside/behind.ts one for its own process. */
export interface Context {
  readonly settings: Settings;
  /** As they were given: who goes on in another process gives them again. */
  readonly flags: Flags;
  /** As the process got it; the server's is made from it. */
  readonly env: Environment;
  readonly log: Log;
  readonly reporter: Reporter;
  /** What --timeout is counted from, by `performance.now()`: the process's start; in `init`, its setups later. */
  readonly startedAt: number;
  /** Aborts when a stop signal came, or when our own code failed where nobody was looking. */
  readonly stop: AbortSignal;
  readonly caughtSignal: () => Promise<StopSignal | undefined>;
  /** What a locked start restores, or why its lock file cannot be used. */
  readonly lock?: Lock | ModelCacheError;
  /** Paths on network volumes that do not answer: they are not to be touched. */
  readonly unreachable: Unreachable;
  /** Data for stdout, written at once. */
  readonly print: (text: string) => void;
}
