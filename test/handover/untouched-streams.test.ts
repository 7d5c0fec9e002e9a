import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const STREAMS = join(import.meta.dirname, '..', '..', 'src', 'handover', 'untouched-streams.ts');

test('what a library writes to the console is said, and is no error', () => {
  const script = 'console.warn("of a library"); console.log("and this"); console.error("and that");';
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', STREAMS, '-e', script], {
    encoding: 'utf8',
  });
  assert.equal(stdout, 'and this\n');
  assert.match(stderr, /^of a library$/m);
  assert.match(stderr, /^and that$/m);
  assert.equal(status, 0, stderr);
});
