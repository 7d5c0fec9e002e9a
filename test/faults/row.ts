import type { Need } from './needs.ts';
import type { Plane } from './plane.ts';
import type { Rig } from './rig.ts';
import type { Ran } from './running.ts';

/**
 * One fault: how it is made, and what must come of it. `docs/failure-modes.md` and the table of `npm run test:faults`
 * are made of rows. What must hold whatever is broken (no wrong file, no secret, nothing left behind: invariants.ts) is
 * looked at after every row, and is nothing that a row has to think of.
 */
export interface Row {
  /** What is broken: the row's name, in the table and in the document. */
  readonly fault: string;
  /**
   * What a user sees: a line of the log (INFO or graver), or a piece of one, in which `…` stands for anything. It is
   * looked for in what the program said. Several: whichever comes. None: nobody can see what it says.
   */
  readonly sees: string | readonly string[];
  /** What the user does about it. */
  readonly todo: string;
  /** Takes less than four seconds, and is one of those that `npm test` runs. */
  readonly quick?: boolean;
  /** Where this machine has no such thing, the row is not run, and says why. */
  readonly needs?: readonly Need[];
  /** Promised of this way of fetching only. */
  readonly plane?: Plane;
  readonly expected: Expected;
  /** Makes the fault, runs the program into it, and returns how that went. Throws when something else is wrong. */
  readonly run: (rig: Rig) => Promise<Ran>;
}

export interface Expected {
  /** Seconds until the server ran, from the start of the program; without a server, until the program ended. */
  readonly within: number;
  /** Of the report: `ok`, or what went wrong. Several: whichever comes. */
  readonly code: string | readonly string[];
  /**
   * In the dir, or by an upload in the bucket. `what was verified`: whatever was whole by then, from nothing to
   * everything. That it is right is looked at in any case.
   */
  readonly published: 'everything' | 'nothing' | 'what was verified';
  /** When left out: `runs` for init, and no other command has one. */
  readonly server?: 'runs' | 'is not started';
  /** When left out: 0 for init, and for another command 1 unless its code is `ok`. */
  readonly exitCode?: number;
  /** Lines of the level WARN. When left out: none where the code is `ok`, else one. */
  readonly warnings?: number | 'some';
  /** Staged files may stay, for the next run to go on with. */
  readonly leavesPartialFiles?: boolean;
}

/** Rows of one kind, as a file of rows/ exports them. */
export interface Group {
  readonly name: string;
  /** Its heading in the document. */
  readonly title: string;
  readonly rows: readonly Row[];
}
