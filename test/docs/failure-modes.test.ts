import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { failureModes } from '../../scripts/failure-modes.ts';

test('the document of failure modes is what the rows of test/faults/ say', () => {
  const document = join(import.meta.dirname, '..', '..', 'docs', 'failure-modes.md');
  assert.equal(readFileSync(document, 'utf8'), failureModes(), 'run `npm run failure-modes`');
});
