// Every row of rows/ for real, as a table: `npm run test:faults`, or `npm run test:faults -- WORD...` for the groups
// and rows that have one of these words in their names. `--plane sdk`: fetching by the AWS SDK, as where something is
// unusual, and not by requests of our own. `--verbose`: also what the program said.
import { parseArgs } from 'node:util';
import pLimit from 'p-limit';
import { startBench } from './bench.ts';
import { hold } from './hold.ts';
import { PLANES } from './plane.ts';
import { GROUPS } from './rows/index.ts';
import { isHeld, tableHead, tableRow } from './table.ts';

const ROWS_AT_ONCE = 2;

const { values, positionals: words } = parseArgs({
  options: { plane: { type: 'string', default: 'own' }, verbose: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const plane = PLANES.find((name) => name === values.plane);
if (plane === undefined) throw new Error(`wanted --plane ${PLANES.join(' or ')}, found ${values.plane}`);
const isWanted = (name: string): boolean =>
  words.length === 0 || words.some((word) => name.toLowerCase().includes(word.toLowerCase()));
const counts = { held: 0, failed: 0, 'not run': 0 };
const bench = await startBench();
try {
  const limit = pLimit(ROWS_AT_ONCE);
  console.log(tableHead());
  for (const { name, title, rows } of GROUPS) {
    const wanted = rows.filter(({ fault }) => isWanted(`${name}: ${fault}`));
    if (wanted.length > 0) console.log(`\n${name}: ${title}`);
    const lines = wanted.map((row) =>
      limit(async () => {
        const outcome = await hold(bench, row, plane);
        const kind = outcome.kind === 'held' && !isHeld(outcome, row.expected) ? 'failed' : outcome.kind;
        counts[kind] += 1;
        return tableRow(row, outcome, values.verbose);
      }),
    );
    for (const line of lines) console.log(await line);
  }
} finally {
  await bench.stop();
}
console.log(`\n${counts.held} rows held, ${counts.failed} failed, ${counts['not run']} not run`);
process.exitCode = counts.failed === 0 ? 0 : 1;
