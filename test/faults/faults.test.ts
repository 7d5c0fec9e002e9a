import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startBench, type Bench } from './bench.ts';
import { hold } from './hold.ts';
import { PLANES } from './plane.ts';
import { GROUPS } from './rows/index.ts';
import { details } from './table.ts';

/** What requests meet may come out otherwise when the SDK sends them. */
const ALSO_BY_SDK = new Set(['network', 'tls', 'answers', 'refusals']);
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
      for (const plane of ALSO_BY_SDK.has(name) ? PLANES : PLANES.slice(0, 1)) {
        const title = `${name}: ${row.fault}${plane === 'sdk' ? ', by the SDK' : ''}`;
        // The time is watched, not asserted: what hangs shall end.
        test(title, { timeout: row.expected.within * 5000 }, async (context) => {
          const outcome = await hold(bench, row, plane);
          if (outcome.kind === 'not run') return context.skip(outcome.why);
          assert.equal(outcome.kind, 'held', details(outcome));
        });
      }
    }
  }

  test('no two rows have the same name', () => {
    const names = GROUPS.flatMap(({ rows }) => rows.map(({ fault }) => fault));
    assert.deepEqual(names, [...new Set(names)]);
  });
});
