import type { Row } from '../measure/race.ts';
import type { Run } from '../measure/run.ts';

/** A run beside which others had more of the machine than this says little. */
export const MAX_FOREIGN = 0.15;

interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** What counts of a row. */
export interface Summary {
  readonly counted: number;
  readonly dropped: number;
  /** No run was clean, so all of them count. */
  readonly isNoisy: boolean;
  readonly wall: Spread;
  readonly clientCpu: number;
  readonly serverCpu: number;
  /** Of all runs that count. */
  readonly peakMiB: number;
}

/** Undefined when no run came to its end with every byte right. */
export function summarize({ runs }: Row): Summary | undefined {
  const done = runs.filter(({ failure }) => failure === undefined);
  const clean = done.filter(({ foreign }) => foreign <= MAX_FOREIGN);
  const counted = clean.length > 0 ? clean : done;
  if (counted.length === 0) return undefined;
  const of = (figure: (run: Run) => number): Spread => spreadOf(counted.map(figure));
  return {
    counted: counted.length,
    dropped: done.length - counted.length,
    isNoisy: clean.length === 0,
    wall: of(({ wall }) => wall),
    clientCpu: of(({ clientCpu }) => clientCpu).median,
    serverCpu: of(({ serverCpu }) => serverCpu).median,
    peakMiB: of(({ peakMiB }) => peakMiB).most,
  };
}

/** Of at least one number. */
export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? NaN) : upper;
  return { median: (lower + upper) / 2, least: sorted[0] ?? NaN, most: sorted.at(-1) ?? NaN };
}
