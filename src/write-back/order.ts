import type { Owner } from '../cache/owner.ts';
import type { ServerProcess } from '../handover/server-process.ts';
import type { LogLevel } from '../log-event.ts';

/** What `init` leaves a write-back to do, as JSON in its command line. */
export interface WriteBackOrder {
  readonly dir: string;
  readonly server: ServerProcess;
  readonly also: readonly string[];
  readonly reuse: readonly string[];
  /** The folder that is the store. */
  readonly store?: string | undefined;
  /** Milliseconds without anything new after which it ends; 0: never. */
  readonly idle: number;
  /** Milliseconds that are left when the server has ended. */
  readonly grace: number;
  /** The fingerprint of what is in the bucket already. */
  readonly passed: string;
  /** A JavaScript file, which this Node runs with `passArgs` for each pass. */
  readonly program: string;
  readonly passArgs: readonly string[];
  readonly logFormat: 'text' | 'json';
  readonly logLevel: LogLevel;
  /** Who was asked for as the owner of files. */
  readonly owner?: Owner | undefined;
}
