import type { Row } from '../measure/race.ts';
import { marksOf, measuredOf, type Marks, type Measured } from './marks.ts';
import { summarize, type Summary } from './statistics.ts';

/** What was measured together, and is compared. */
export interface Table {
  readonly title: string;
  /** Paragraphs above it. */
  readonly text: readonly string[];
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** The rows are no rivals, and stay as they are; else the fastest comes first. */
  readonly isSeries?: boolean;
  /** What the link carries at most. */
  readonly bitsPerSecond?: number;
}

export const TRANSFER: readonly Column[] = ['GB/s', 'limit', 'best peer'];
export const PROVED: readonly Column[] = ['GB/s', 'limit', 'proving limit', 'best peer'];
export const OVER_LINK: readonly Column[] = ['of the link', 'limit', 'proving limit', 'best peer'];

/** Beside the ones that every table has. */
export type Column = 'GB/s' | 'of the link' | 'limit' | 'proving limit' | 'best peer';

const CELLS: Readonly<
  Record<Column, { head: string; cell: (of: Measured, marks: Marks, table: Table) => string }>
> = {
  'GB/s': {
    head: 'GB/s',
    cell: ({ row, summary }) => (row.bytes / summary.wall.median / 1e9).toFixed(2),
  },
  'of the link': {
    head: 'of the link',
    cell: (of, _, { bitsPerSecond }) =>
      bitsPerSecond === undefined ? '-' : `${(shareOfLink(of, bitsPerSecond) * 100).toFixed(0)} %`,
  },
  limit: { head: '/ limit', cell: (of, { limit }) => ratio(of, limit) },
  'proving limit': { head: '/ limit, hashed', cell: (of, { provingLimit }) => ratio(of, provingLimit) },
  'best peer': { head: '/ best peer', cell: (of, { bestPeer }) => ratio(of, bestPeer) },
};

/** Payload over what the link carries in that time. */
export function shareOfLink({ row, summary }: Measured, bitsPerSecond: number): number {
  return (row.bytes * 8) / summary.wall.median / bitsPerSecond;
}

/** Those who came to the end; then those who did not, and why. */
export function formatTable(table: Table): string {
  const measured = measuredOf(table.rows);
  const marks = marksOf(measured);
  const heads = [
    'tool',
    'n (dropped)',
    'wall s (least-most)',
    ...table.columns.map((column) => CELLS[column].head),
    'client CPU s',
    'peak RSS MiB',
    'server CPU s',
  ];
  const ordered =
    table.isSeries === true
      ? measured
      : measured.toSorted((a, b) => a.summary.wall.median - b.summary.wall.median);
  const lines = Array.from(ordered, (one) => [
    `${one.row.name}${one.summary.isNoisy ? '\\*' : ''}`,
    count(one),
    wall(one.summary),
    ...table.columns.map((column) => CELLS[column].cell(one, marks, table)),
    seconds(one.summary.clientCpu),
    one.summary.peakMiB.toFixed(0),
    seconds(one.summary.serverCpu),
  ]);
  const unmeasured = table.rows.filter((row) => summarize(row) === undefined);
  const failed = Array.from(unmeasured, (row) => [
    row.name,
    `0 of ${row.runs.length}`,
    whyNot(row),
    ...heads.slice(3).map(() => ''),
  ]);
  return [heads, heads.map(() => '---'), ...lines, ...failed]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function count({ row, summary: { counted, dropped } }: Measured): string {
  const failed = row.runs.length - counted - dropped;
  return `${counted} (${dropped})${failed > 0 ? `, ${failed} failed` : ''}`;
}

export function wall({ wall: { median, least, most } }: Summary): string {
  return `${seconds(median)} (${seconds(least)}-${seconds(most)})`;
}

function seconds(value: number): string {
  return value.toFixed(value < 0.5 ? 3 : 2);
}

function ratio({ summary }: Measured, mark: Measured | undefined): string {
  return mark === undefined ? '-' : (summary.wall.median / mark.summary.wall.median).toFixed(2);
}

function whyNot({ runs }: Row): string {
  const reason = runs.find(({ failure }) => failure !== undefined)?.failure ?? 'not run';
  return reason.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|');
}
