import * as modelCache from '../contestants/model-cache.ts';
import * as sdk from '../contestants/sdk.ts';
import type { TableId } from '../tables/table-ids.ts';
import { marksOf, measuredOf, type Marks, type Measured } from './marks.ts';
import type { MeasurementRecord } from './record.ts';
import { shareOfLink, type Table } from './table.ts';

/** What we want to reach in one table. */
interface Aim {
  readonly work: string;
  readonly table: readonly [id: TableId, place: number];
  /** Undefined where something that it takes was not measured. */
  readonly figure: (of: Measured, marks: Marks, table: Table) => number | undefined;
  readonly aim: number;
  /** Whether more is better. */
  readonly isLeast?: boolean;
  readonly inWords: (figure: number) => string;
}

const MANY_STREAMS = 'rclone, 64 x 1 MiB';

const AIMS: readonly Aim[] = [
  ratio('The F5 set from MinIO', ['cold', 0], 'the limit', ({ limit }) => limit, 1.3),
  ratio('Locked', ['locked', 0], 's5cmd', named('s5cmd'), 1),
  ratio('Locked', ['locked', 0], 'the limit', ({ limit }) => limit, 1.1),
  ratio('From nginx', ['nginx', 0], 'the best peer', ({ bestPeer }) => bestPeer, 1),
  ratio('Over TLS, from MinIO', ['tls', 0], 'the SDK', named(sdk.restore.name), 0.6),
  ratio('Over TLS, from MinIO', ['tls', 0], 'the best peer', ({ bestPeer }) => bestPeer, 1),
  ratio('Over TLS, from nginx', ['tls', 1], 'the SDK', named(sdk.restore.name), 0.6),
  ratio('Over TLS, from nginx', ['tls', 1], 'the best peer', ({ bestPeer }) => bestPeer, 1),
  ratio('2000 files of 64 KiB', ['small', 0], 's5cmd', named('s5cmd'), 0.75),
  ofLink('5 Gbit/s, 2 ms', ['links', 0], 0.93),
  ofLink('1 Gbit/s, 20 ms', ['links', 1], 0.8),
  ratio('1 Gbit/s, 20 ms, 1 packet in 1000 lost', ['links', 2], MANY_STREAMS, named(MANY_STREAMS), 1),
  ratio('Upload', ['upload', 0], 's5cmd', named('s5cmd'), 1),
  seconds('Nothing to do, 3 files', ['idle', 0], ({ summary }) => summary.wall.median, 0.1),
  seconds('Nothing to do, 2000 files', ['idle', 1], ({ summary }) => summary.wall.median, 0.15),
  {
    work: '`--version`, beyond an empty Node',
    table: ['idle', 2],
    figure: ({ summary }, marks, table) => {
      const empty = named(modelCache.emptyNode.name)(marks, table);
      return empty && summary.wall.median - empty.summary.wall.median;
    },
    aim: 0.02,
    inWords: inSeconds,
  },
  seconds('Client CPU, the F5 set from MinIO', ['cold', 0], ({ summary }) => summary.clientCpu, 1.8),
  memory('Peak RSS, the F5 set from MinIO', ['cold', 0], 100),
  memory('Peak RSS, one file of any size', ['growth', 0], 100, ({ row }) => row.name.startsWith('1 file')),
  memory('Peak RSS, any number of files', ['growth', 0], 100, ({ row }) => !row.name.startsWith('1 file')),
  memory('Peak RSS, over TLS from MinIO', ['tls', 0], 140),
];

/** Each aim beside what was measured, and beside what the C reader comes to when it hashes, too. */
export function formatAims(record: MeasurementRecord): readonly string[] {
  const lines = AIMS.flatMap((aim) => lineOf(aim, record));
  if (lines.length === 0) return [];
  return [
    '## What we aim at',
    'These were set before the data plane was written, by what the other tools, the limit and Node alone came to. Figures are medians of few runs, and those near an aim may be on its ' +
      'other side next time. The last column is the same figure of the C reader that hashes: where it misses an aim, too, better hashing is not what is lacking. "What bounds it" says ' +
      'what there is to say about each.',
    ['| work | aim | this run | reached | C reader, hashing |', '|---|---|---|---|---|', ...lines].join('\n'),
  ];
}

function lineOf(aim: Aim, record: MeasurementRecord): readonly string[] {
  const [id, place] = aim.table;
  const table = record[id]?.tables[place];
  if (table === undefined) return [];
  const measured = measuredOf(table.rows);
  const marks = marksOf(measured);
  const figureOf = (of: Measured): number | undefined => aim.figure(of, marks, table);
  if (!measured.some(isOurs)) return [];
  const ours = worst(aim, measured.filter(isOurs).map(figureOf));
  const proving = marks.provingLimit && figureOf(marks.provingLimit);
  const cells = [
    aim.work,
    `${aim.isLeast === true ? 'at least' : 'at most'} ${aim.inWords(aim.aim)}`,
    ...(ours === undefined ? ['-', '-'] : [aim.inWords(ours), isReached(aim, ours) ? 'yes' : 'no']),
    proving === undefined ? '-' : aim.inWords(proving),
  ];
  return [`| ${cells.join(' | ')} |`];
}

function isReached({ aim, isLeast = false }: Aim, figure: number): boolean {
  return isLeast ? figure >= aim : figure <= aim;
}

function isOurs({ row }: Measured): boolean {
  return row.tool === 'model-cache';
}

/** Of a series. */
function worst({ isLeast = false }: Aim, figures: readonly (number | undefined)[]): number | undefined {
  const known = figures.filter((figure) => figure !== undefined);
  if (known.length === 0) return undefined;
  return isLeast ? Math.min(...known) : Math.max(...known);
}

function ratio(
  work: string,
  table: Aim['table'],
  words: string,
  to: (marks: Marks, table: Table) => Measured | undefined,
  aim: number,
): Aim {
  return {
    work,
    table,
    figure: ({ summary }, marks, of) => {
      const other = to(marks, of);
      return other && summary.wall.median / other.summary.wall.median;
    },
    aim,
    inWords: (figure) => `${figure.toFixed(2)} x ${words}`,
  };
}

function named(name: string): (marks: Marks, table: Table) => Measured | undefined {
  return (_, { rows }) => measuredOf(rows).find(({ row }) => row.name === name);
}

function ofLink(work: string, table: Aim['table'], aim: number): Aim {
  return {
    work,
    table,
    figure: (of, _, { bitsPerSecond }) => bitsPerSecond && shareOfLink(of, bitsPerSecond),
    aim,
    isLeast: true,
    inWords: (figure) => `${(figure * 100).toFixed(0)} % of the link`,
  };
}

function seconds(work: string, table: Aim['table'], figure: (of: Measured) => number, aim: number): Aim {
  return { work, table, figure, aim, inWords: inSeconds };
}

function inSeconds(value: number): string {
  return `${value.toFixed(value < 0.5 ? 3 : 2)} s`;
}

/** Of some rows of a series, or of all. */
function memory(
  work: string,
  table: Aim['table'],
  aim: number,
  isMeant: (of: Measured) => boolean = () => true,
): Aim {
  return {
    work,
    table,
    figure: (of) => (isMeant(of) ? of.summary.peakMiB : undefined),
    aim,
    inWords: (value) => `${value.toFixed(0)} MiB`,
  };
}
