import type { Row } from '../measure/race.ts';
import { summarize, type Summary } from './statistics.ts';

export interface Measured {
  readonly row: Row;
  readonly summary: Summary;
}

/** What the rows of one table are compared with. Undefined: nobody of that kind came to the end. */
export interface Marks {
  readonly ours: Measured | undefined;
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
  const of = (...tools: readonly Row['tool'][]): Measured | undefined =>
    fastest(measured.filter(({ row }) => tools.includes(row.tool)));
  return {
    ours: of('model-cache'),
    limit: of('limit'),
    provingLimit: of('proving-limit'),
    bestPeer: of('s5cmd', 'rclone', 'aws', 'boto3', 'sdk'),
  };
}

function fastest(measured: readonly Measured[]): Measured | undefined {
  const [first] = measured.toSorted((a, b) => a.summary.wall.median - b.summary.wall.median);
  return first;
}
