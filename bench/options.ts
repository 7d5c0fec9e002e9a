import { parseArgs } from 'node:util';
import { TABLE_IDS, type TableId } from './tables/table-ids.ts';
import { TOOLS, type Tool } from './contestants/tool.ts';

export interface Options {
  readonly rounds: number;
  readonly tables: readonly TableId[];
  readonly tools: readonly Tool[];
  /** Tiny data, one round, nothing installed: shows that the harness works, and measures nothing. */
  readonly isQuick: boolean;
  /** Where the document goes; undefined: it is only printed. */
  readonly out: string | undefined;
  /** Raw runs, as JSON: tables that are measured again replace their earlier ones, and the document has all of them. */
  readonly record: string | undefined;
}

export const USAGE = `npm run bench -- [options]
  --rounds N        of each table (default: 5)
  --only TABLE,...  ${TABLE_IDS.join(', ')}
  --tools TOOL,...  ${TOOLS.join(', ')}
  --quick           tiny data, one round, model-cache and the C reader only
  --out FILE        where the document goes (default: docs/performance.md, when no table and no tool was chosen)
  --record FILE     keep the raw runs there, and take those of the tables that are not run this time from there`;

const QUICK_TABLES: readonly TableId[] = ['cold', 'locked', 'small', 'upload', 'idle'];
const QUICK_TOOLS: readonly Tool[] = ['model-cache', 'limit', 'proving-limit', 'node'];
const DOCUMENT = 'docs/performance.md';

/** Throws an error that says what is wrong; undefined: they ask for help. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      only: { type: 'string' },
      tools: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
      record: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick, only, tools, record } = values;
  const isWhole = !quick && tools === undefined && (only === undefined || record !== undefined);
  return {
    rounds: atLeastOne(values.rounds ?? (quick ? '1' : '5')),
    tables: chosen('--only', only, TABLE_IDS, quick ? QUICK_TABLES : TABLE_IDS),
    tools: chosen('--tools', tools, TOOLS, quick ? QUICK_TOOLS : TOOLS),
    isQuick: quick,
    out: values.out ?? (isWhole ? DOCUMENT : undefined),
    record,
  };
}

function atLeastOne(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1) return rounds;
  throw new Error(`wanted --rounds to be a whole number from 1 on, found ${text}`);
}

function chosen<T extends string>(
  option: string,
  text: string | undefined,
  all: readonly T[],
  usual: readonly T[],
): readonly T[] {
  if (text === undefined) return usual;
  const words = text.split(',');
  const unknown = words.find((word) => !all.some((known) => known === word));
  if (unknown !== undefined) throw new Error(`wanted ${option} to be of ${all.join(', ')}; found ${unknown}`);
  return all.filter((known) => words.includes(known));
}
