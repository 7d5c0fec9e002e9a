import type { Row } from '../../../bench/measure/race.ts';
import type { Run } from '../../../bench/measure/run.ts';

export function run(wall: number, others: Partial<Run> = {}): Run {
  return { wall, clientCpu: wall / 2, serverCpu: wall / 4, peakMiB: 10, foreign: 0, ...others };
}

export function row(name: string, tool: Row['tool'], runs: readonly Run[], others: Partial<Row> = {}): Row {
  return { name, tool, bytes: 2e9, runs, ...others };
}
