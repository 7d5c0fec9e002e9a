import type { Command } from '../contestants/contestant.ts';
import type { Tool } from '../contestants/tool.ts';
import { measure, type Conditions, type Run } from './run.ts';

/** Each may have taken the whole time limit. */
const MAX_FAILURES = 2;

/** One who does the job of a table, over and over. */
export interface Entrant {
  readonly name: string;
  readonly tool: Tool;
  /** Payload of one run. */
  readonly bytes: number;
  /** Makes what the command needs to find, and the command. */
  prepare(): Promise<Command>;
  /** Throws unless every byte is where it should be; `output` is what the command printed. */
  check(output: string): Promise<void>;
  /** The command for people: without what is of this machine or this run. */
  inWords(command: Command): string;
  /** Called after each run, whatever became of it. */
  tidy(): Promise<void>;
}

export interface Row {
  readonly name: string;
  readonly tool: Tool;
  readonly bytes: number;
  readonly runs: readonly Run[];
  /** For people; undefined when it never came to one. */
  readonly command?: string;
}

/**
 * All entrants in turn, in another order each round. What cannot be prepared or started is a failed run: the server may
 * have had a moment of its own. One who only fails is out.
 */
export async function race(
  entrants: readonly Entrant[],
  rounds: number,
  conditions: Conditions,
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  const runs = new Map(entrants.map(({ name }) => [name, [] as Run[]]));
  const commands = new Map<string, string>();
  for (let round = 1; round <= rounds; round += 1) {
    const isIn = ({ name }: Entrant): boolean => !isHopeless(runs.get(name) ?? []);
    for (const entrant of shuffled(entrants.filter(isIn))) {
      const { run, command } = await runOf(entrant, conditions).catch(neverRan);
      if (command !== undefined) commands.set(entrant.name, entrant.inWords(command));
      runs.get(entrant.name)?.push(run);
      tell(`round ${round}, ${entrant.name}: ${run.failure ?? `${run.wall.toFixed(2)} s`}`);
    }
  }
  return Array.from(entrants, ({ name, tool, bytes }) => {
    const command = commands.get(name);
    return { name, tool, bytes, runs: runs.get(name) ?? [], ...(command !== undefined && { command }) };
  });
}

interface Ran {
  readonly run: Run;
  readonly command: Command | undefined;
}

function neverRan(error: unknown): Ran {
  const failure = error instanceof Error ? error.message : String(error);
  const run = { wall: 0, clientCpu: 0, peakMiB: 0, serverCpu: 0, foreign: 0, failure };
  return { run, command: undefined };
}

function isHopeless(runs: readonly Run[]): boolean {
  return runs.length >= MAX_FAILURES && runs.every(({ failure }) => failure !== undefined);
}

async function runOf(entrant: Entrant, conditions: Conditions): Promise<Ran> {
  try {
    const command = await entrant.prepare();
    const { run, output } = await measure(command, conditions);
    if (run.failure !== undefined) return { run, command };
    return await entrant.check(output).then(
      () => ({ run, command }),
      (error: Error) => ({ run: { ...run, failure: error.message }, command }),
    );
  } finally {
    await entrant.tidy();
  }
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
