import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAims } from '../../../bench/report/aims.ts';
import type { Measurement } from '../../../bench/report/record.ts';
import type { Table } from '../../../bench/report/table.ts';
import { row, run } from './rows.ts';

test('each aim stands beside what was measured, and beside the C reader that hashes', () => {
  const cold = table([
    row('limit', 'limit', [run(1)]),
    row('limit, SHA-256', 'proving-limit', [run(1.5)]),
    row('model-cache', 'model-cache', [run(1.6, { peakMiB: 99 })]),
  ]);
  assert.deepEqual(linesOf({ cold: measurement(cold) }), [
    '| The F5 set from MinIO | at most 1.30 x the limit | 1.60 x the limit | no | 1.50 x the limit |',
    '| Client CPU, the F5 set from MinIO | at most 1.80 s | 0.80 s | yes | 0.75 s |',
    '| Peak RSS, the F5 set from MinIO | at most 100 MiB | 99 MiB | yes | 10 MiB |',
  ]);
});

test('of a series the worst counts; of a link, more is better', () => {
  const growth = table([
    row('1 file of 1 GB', 'model-cache', [run(1, { peakMiB: 101 })]),
    row('1 file of 2 GB', 'model-cache', [run(1, { peakMiB: 90 })]),
    row('100 files', 'model-cache', [run(1, { peakMiB: 80 })]),
    row('1000 files', 'model-cache', [run(1, { peakMiB: 85 })]),
  ]);
  const near = { ...table([row('model-cache', 'model-cache', [run(4)])]), bitsPerSecond: 5e9 };
  assert.deepEqual(linesOf({ growth: measurement(growth), links: measurement(near) }), [
    '| 5 Gbit/s, 2 ms | at least 93 % of the link | 80 % of the link | no | - |',
    '| Peak RSS, one file of any size | at most 100 MiB | 101 MiB | no | - |',
    '| Peak RSS, any number of files | at most 100 MiB | 85 MiB | yes | - |',
  ]);
});

test('where there is nothing to compare with, nobody knows; what was not measured is left out', () => {
  const nginx = table([row('model-cache', 'model-cache', [run(1)])]);
  assert.deepEqual(linesOf({ nginx: measurement(nginx) }), [
    '| From nginx | at most 1.00 x the best peer | - | - | - |',
  ]);
  assert.deepEqual(formatAims({ nginx: measurement(table([])) }), []);
});

function linesOf(record: Parameters<typeof formatAims>[0]): readonly string[] {
  return formatAims(record).at(-1)?.split('\n').slice(2) ?? [];
}

function table(rows: Table['rows']): Table {
  return { title: 'Restore', text: [], columns: [], rows };
}

function measurement(...tables: Table[]): Measurement {
  return { rounds: 1, machine: [], tables };
}
