import assert from 'node:assert/strict';
import { test } from 'node:test';
import { race, type Entrant } from '../../../bench/measure/race.ts';
import type { Conditions } from '../../../bench/measure/run.ts';

/** Nothing is ever started. */
const CONDITIONS = {} as Conditions;

test('who cannot be prepared has failed a run, and is asked once more before he is out', async () => {
  let asked = 0;
  let tidied = 0;
  const entrant: Entrant = {
    name: 'upload',
    tool: 'model-cache',
    bytes: 1,
    prepare: () => {
      asked += 1;
      return Promise.reject(new Error('0 drives provided'));
    },
    check: () => Promise.resolve(),
    inWords: () => '',
    tidy: async () => {
      tidied += 1;
    },
  };
  const lines: string[] = [];
  const [row] = await race([entrant], 5, CONDITIONS, (line) => lines.push(line));
  assert.deepEqual(
    row?.runs.map(({ failure }) => failure),
    ['0 drives provided', '0 drives provided'],
  );
  assert.equal(row?.command, undefined);
  assert.deepEqual([asked, tidied], [2, 2]);
  assert.deepEqual(lines, ['round 1, upload: 0 drives provided', 'round 2, upload: 0 drives provided']);
});
