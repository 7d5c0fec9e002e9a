import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { spreadOf, summarize } from '../../../bench/report/statistics.ts';
import { row, run } from './rows.ts';

describe('spreadOf', () => {
  test('the median of an odd count is in the middle', () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, least: 1, most: 3 });
  });

  test('the median of an even count lies between the two in the middle', () => {
    assert.deepEqual(spreadOf([4, 1, 2, 8]), { median: 3, least: 1, most: 8 });
  });
});

describe('summarize', () => {
  test('a run beside which others used much of the machine is dropped', () => {
    const summary = summarize(
      row('a', 's5cmd', [run(1), run(9, { foreign: 0.16 }), run(2, { foreign: 0.15 })]),
    );
    assert.deepEqual(summary?.wall, { median: 1.5, least: 1, most: 2 });
    assert.equal(summary?.counted, 2);
    assert.equal(summary?.dropped, 1);
    assert.equal(summary?.isNoisy, false);
  });

  test('when no run was clean, all count, and that is said', () => {
    const summary = summarize(row('a', 's5cmd', [run(1, { foreign: 0.9 }), run(3, { foreign: 0.2 })]));
    assert.equal(summary?.wall.median, 2);
    assert.equal(summary?.dropped, 0);
    assert.equal(summary?.isNoisy, true);
  });

  test('a run that failed never counts, however clean', () => {
    const summary = summarize(
      row('a', 's5cmd', [run(1, { failure: 'wrong bytes' }), run(3, { foreign: 0.2 })]),
    );
    assert.equal(summary?.wall.median, 3);
    assert.equal(summary?.counted, 1);
    assert.equal(summarize(row('a', 's5cmd', [run(1, { failure: 'wrong bytes' })])), undefined);
    assert.equal(summarize(row('a', 's5cmd', [])), undefined);
  });

  test('peak memory is that of the worst run that counts', () => {
    const runs = [run(1, { peakMiB: 30 }), run(2, { peakMiB: 50 }), run(3, { peakMiB: 99, foreign: 1 })];
    assert.equal(summarize(row('a', 's5cmd', runs))?.peakMiB, 50);
  });
});
