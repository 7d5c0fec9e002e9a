import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable, OVER_LINK, PROVED, TRANSFER } from '../../../bench/report/table.ts';
import { row, run } from './rows.ts';

const HEAD = '| tool | n (dropped) | wall s (least-most) |';
const TAIL = '| client CPU s | peak RSS MiB | server CPU s |';

test('the fastest comes first, with ratios to the limit and to the best of the others', () => {
  const text = formatTable({
    title: 'Restore',
    text: [],
    columns: TRANSFER,
    rows: [
      row('rclone', 'rclone', [run(4)]),
      row('model-cache', 'model-cache', [run(2.5)]),
      row('limit', 'limit', [run(2)]),
      row('s5cmd', 's5cmd', [run(5), run(5)]),
    ],
  });
  assert.deepEqual(text.split('\n'), [
    `${HEAD} GB/s | / limit | / best peer ${TAIL}`,
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    '| limit | 1 (0) | 2.00 (2.00-2.00) | 1.00 | 1.00 | 0.50 | 1.00 | 10 | 0.50 |',
    '| model-cache | 1 (0) | 2.50 (2.50-2.50) | 0.80 | 1.25 | 0.63 | 1.25 | 10 | 0.63 |',
    '| rclone | 1 (0) | 4.00 (4.00-4.00) | 0.50 | 2.00 | 1.00 | 2.00 | 10 | 1.00 |',
    '| s5cmd | 2 (0) | 5.00 (5.00-5.00) | 0.40 | 2.50 | 1.25 | 2.50 | 10 | 1.25 |',
  ]);
});

test('what the machine allows with a hash is a mark of its own, and neither the limit nor a peer', () => {
  const text = formatTable({
    title: 'Restore',
    text: [],
    columns: PROVED,
    rows: [
      row('limit', 'limit', [run(2)]),
      row('limit, SHA-256', 'proving-limit', [run(4)]),
      row('model-cache', 'model-cache', [run(5)]),
      row('s5cmd', 's5cmd', [run(2.5)]),
    ],
  });
  assert.match(text, /\| GB\/s \| \/ limit \| \/ limit, hashed \| \/ best peer \|/);
  assert.match(text, /^\| model-cache \| .* \| 0\.40 \| 2\.50 \| 1\.25 \| 2\.00 \|/m);
});

test('without a limit or a peer there is nothing to compare with', () => {
  const text = formatTable({
    title: 'Restore',
    text: [],
    columns: TRANSFER,
    rows: [row('model-cache', 'model-cache', [run(2.5)])],
  });
  assert.match(text, /\| 0\.80 \| - \| - \|/);
});

test('a noisy row is marked, and runs that failed are counted', () => {
  const text = formatTable({
    title: 'Restore',
    text: [],
    columns: [],
    rows: [row('s5cmd', 's5cmd', [run(1, { foreign: 0.5 }), run(1, { failure: 'ended with 1: no' })])],
  });
  assert.match(text, /^\| s5cmd\\\* \| 1 \(0\), 1 failed \|/m);
});

test('who never came to the end stands below, with the reason on one line', () => {
  const text = formatTable({
    title: 'Restore',
    text: [],
    columns: TRANSFER,
    rows: [
      row('s5cmd', 's5cmd', [run(20, { failure: 'stopped after 20 s' })]),
      row('aws', 'aws', [run(0, { failure: 'wanted a|b,\nfound none' })]),
      row('limit', 'limit', [run(2)]),
    ],
  });
  assert.deepEqual(text.split('\n').slice(3), [
    '| s5cmd | 0 of 1 | stopped after 20 s |  |  |  |  |  |  |',
    '| aws | 0 of 1 | wanted a\\|b, found none |  |  |  |  |  |  |',
  ]);
});

test('the rows of a series stay in their order', () => {
  const rows = [row('large', 'model-cache', [run(2)]), row('small', 'model-cache', [run(1)])];
  const text = formatTable({ title: 'Growth', text: [], columns: [], rows, isSeries: true });
  assert.match(text, /large[^]*small/);
  assert.match(formatTable({ title: 'Race', text: [], columns: [], rows }), /small[^]*large/);
});

test('over a link, what counts is the part of what it carries', () => {
  const text = formatTable({
    title: 'Link',
    text: [],
    columns: OVER_LINK,
    bitsPerSecond: 5e9,
    rows: [row('limit', 'limit', [run(4)])],
  });
  assert.match(text, /\| 80 % \| 1\.00 \| - \|/);
});
