import { isInTime, type Outcome, type Seen } from './hold.ts';
import { LEVELS } from './running.ts';
import type { Row } from './row.ts';

const WIDTHS = { fault: 62, expected: 48, seen: 48 };

export function tableHead(): string {
  return `${cells('', 'row', 'expected', 'seen')}  seconds`;
}

/** A line of the table, and below it what does not hold. */
export function tableRow({ fault, expected }: Row, outcome: Outcome, isVerbose: boolean): string {
  const wanted = `${[expected.code].flat().join('|')}, ${expected.published}, < ${expected.within} s`;
  if (outcome.kind === 'not run') return cells('-', fault, wanted, outcome.why);
  const { seen } = outcome;
  if (seen === undefined) return [cells('x', fault, wanted, 'it threw'), ...violationsOf(outcome)].join('\n');
  const { found, all } = seen.published;
  const mark = isHeld(outcome, expected) ? '+' : 'x';
  const line = `${cells(mark, fault, wanted, `${seen.code}, ${found}/${all}`)}  ${seen.seconds.toFixed(2)}${noteOf(seen)}`;
  const late = isInTime(seen, expected) ? [] : [`    ! it took ${seen.seconds.toFixed(2)} s`];
  const said = isVerbose || mark === 'x' ? saidIn(outcome) : [];
  return [line, ...late, ...violationsOf(outcome), ...said].join('\n');
}

function noteOf({ ran }: Seen): string {
  return ran.note === undefined ? '' : `  ${ran.note}`;
}

export function isHeld(outcome: Outcome, expected: Row['expected']): boolean {
  return outcome.kind === 'held' && isInTime(outcome.seen, expected);
}

/** What does not hold, and what the program said to it. */
export function details(outcome: Outcome): string {
  return [...violationsOf(outcome), ...saidIn(outcome)].join('\n');
}

function violationsOf(outcome: Outcome): readonly string[] {
  return outcome.kind === 'failed' ? outcome.violations.map((text) => `    ! ${text}`) : [];
}

function saidIn(outcome: Outcome): readonly string[] {
  const log = outcome.kind === 'not run' ? [] : (outcome.seen?.ran.log ?? []);
  return log.filter(({ level }) => level >= LEVELS.info).map(({ msg }) => `      said: ${msg}`);
}

function cells(mark: string, fault: string, expected: string, seen: string): string {
  return `${mark.padEnd(1)} ${fit(fault, WIDTHS.fault)}  ${fit(expected, WIDTHS.expected)}  ${fit(seen, WIDTHS.seen)}`;
}

function fit(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 3)}...`;
}
