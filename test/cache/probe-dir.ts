import { writeSync } from 'node:fs';
import { probeDirs } from '../../src/cache/dirs.ts';

/** `probe-dir.ts DIR…` as whatever user runs it: what the probe says, as JSON. */
const { candidates, refused } = probeDirs(process.argv.slice(2));
const answer = {
  candidates: candidates.map(({ dir }) => dir),
  refused: refused.map(({ dir, error }) => ({ dir, code: error.code, message: error.message })),
};
writeSync(1, JSON.stringify(answer));
