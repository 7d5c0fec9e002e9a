import type { Row } from '../measure/race.ts';
import { summarize, type Summary } from './statistics.ts';

const NO_PEERS: ReadonlySet<Row['tool']> = new Set(['model-cache', 'limit', 'proving-limit', 'node']);

export interface Measured {
  readonly row: Row;
  readonly summary: Summary;
}

/** What the rows of one table are compared with. Undefined: nobody of that kind came to the end. */
export interface Marks {
  readonly limit: Measured | undefined;
  readonly provingLimit: Measured | undefined;
  readonly bestPeer: Measured | undefined;
}

/** Those who came to the end. */
export function measuredOf(rows: readonly Row[]): readonly Measured[] {
  return rows.flatMap((row) => {
    const summary = summarize(row);
    return summary === undefined ? [] : [{ row, summary }];
  });
}

/** Of each kind, the fastest. */
export function marksOf(measured: readonly Measured[]): Marks {
  const of = (isOne: (tool: Row['tool']) => boolean): Measured | undefined =>
    fastest(measured.filter(({ row }) => isOne(row.tool)));
  return {
    limit: of((tool) => tool === 'limit'),
    provingLimit: of((tool) => tool === 'proving-limit'),
    bestPeer: of((tool) => !NO_PEERS.has(tool)),
  };
}

function fastest(measured: readonly Measured[]): Measured | undefined {
  const [first] = measured.toSorted((a, b) => a.summary.wall.median - b.summary.wall.median);
  return first;
}
