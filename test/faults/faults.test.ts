import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startBench, type Bench } from './bench.ts';
import { hold } from './hold.ts';
import { GROUPS } from './rows/index.ts';
import { details } from './table.ts';

/** They wait for the most part. */
const ROWS_AT_ONCE = { concurrency: 3 };

describe('whatever is broken, the server starts, and nothing wrong gets in', ROWS_AT_ONCE, () => {
  let bench: Bench;
  before(async () => {
    bench = await startBench();
  });
  after(() => bench.stop());

  for (const { name, rows } of GROUPS) {
    for (const row of rows.filter(({ quick }) => quick)) {
      // The time is watched, not asserted: what hangs shall end.
      test(`${name}: ${row.fault}`, { timeout: row.expected.within * 5000 }, async (context) => {
        const outcome = await hold(bench, row);
        if (outcome.kind === 'not run') return context.skip(outcome.why);
        assert.equal(outcome.kind, 'held', details(outcome));
      });
    }
  }

  test('no two rows have the same name', () => {
    const names = GROUPS.flatMap(({ rows }) => rows.map(({ fault }) => fault));
    assert.deepEqual(names, [...new Set(names)]);
  });
});
