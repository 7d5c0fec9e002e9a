import type { Programs } from '../install/programs.ts';
import type { StoredSet } from '../stores/stored-set.ts';

/**
 * What runs: ours, the physical limit of taking bytes and that of proving them, what people could pick instead, and an
 * empty Node.
 */
export const TOOLS = [
  'model-cache',
  'limit',
  'proving-limit',
  's5cmd',
  'rclone',
  'aws',
  'boto3',
  'sdk',
  'node',
] as const;
export type Tool = (typeof TOOLS)[number];

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
