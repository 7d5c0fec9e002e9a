import type { CommandName } from './settings/options.ts';
import type { Flags } from './settings/raw.ts';

/** What the command line asks for. */
export type Invocation =
  | {
      readonly kind: 'run';
      readonly command: CommandName | 'write-back';
      readonly flags: Flags;
      /** Everything after `--`; of the write-back, the process that it stays beside. */
      readonly server: readonly string[];
    }
  /** The disk work of an `init`, in a process that can be left behind. */
  | { readonly kind: 'behind' }
  /** Help or version were printed, or a mistake was explained. */
  | { readonly kind: 'done'; readonly exitCode: number };

/** Not for users. */
export const BEHIND_COMMAND = 'disk-work';
