import type { Command, Tool } from '../contestants/contestant.ts';
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
  /** Why there are no runs. */
  readonly skipped?: string;
}

/** All entrants in turn, in another order each round. One who cannot be started is out, and so is one who only fails. */
export async function race(
  entrants: readonly Entrant[],
  rounds: number,
  conditions: Conditions,
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  const runs = new Map(entrants.map(({ name }) => [name, [] as Run[]]));
  const out = new Map<string, string>();
  const commands = new Map<string, string>();
  for (let round = 1; round <= rounds; round += 1) {
    const isIn = ({ name }: Entrant): boolean => !out.has(name) && !isHopeless(runs.get(name) ?? []);
    for (const entrant of shuffled(entrants.filter(isIn))) {
      try {
        const { run, command } = await runOf(entrant, conditions);
        commands.set(entrant.name, entrant.inWords(command));
        runs.get(entrant.name)?.push(run);
        tell(`round ${round}, ${entrant.name}: ${run.failure ?? `${run.wall.toFixed(2)} s`}`);
      } catch (error) {
        out.set(entrant.name, error instanceof Error ? error.message : String(error));
        tell(`${entrant.name} is out: ${out.get(entrant.name)}`);
      }
    }
  }
  return Array.from(entrants, ({ name, tool, bytes }) => {
    const [skipped, command] = [out.get(name), commands.get(name)];
    return {
      name,
      tool,
      bytes,
      runs: runs.get(name) ?? [],
      ...(command !== undefined && { command }),
      ...(skipped !== undefined && { skipped }),
    };
  });
}

function isHopeless(runs: readonly Run[]): boolean {
  return runs.length >= MAX_FAILURES && runs.every(({ failure }) => failure !== undefined);
}

async function runOf(
  entrant: Entrant,
  conditions: Conditions,
): Promise<{ readonly run: Run; readonly command: Command }> {
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
