import type { Programs } from '../install/programs.ts';
import type { StoredSet } from '../stores/stored-set.ts';
import type { Tool } from './tool.ts';

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Its standard input. */
  readonly input?: string;
}

export interface Job {
  readonly programs: Programs;
  readonly store: StoredSet;
  /** Of a restore: a folder, empty or whole, where the files come below `hub/`. Of an upload: the cache that is sent. */
  readonly dir: string;
}

/** One way to do a job with one tool. */
export interface Contestant {
  readonly name: string;
  readonly tool: Tool;
  /** May make the folders that the command needs; that is not timed. */
  command(job: Job): Command | Promise<Command>;
}
