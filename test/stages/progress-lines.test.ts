import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Log } from '../../src/log.ts';
import { withProgressLines } from '../../src/stages/progress-lines.ts';
import { Progress } from '../../src/transfer/progress.ts';

test('one line every 10 s while bytes move: percent, bytes, speed, files and the time that is left', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  const lines: string[] = [];
  const say = (_event: string, message: string): void => void lines.push(message);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const progress = new Progress();
  try {
    await withProgressLines(log, 'restore.progress', 'S3 model sync', progress, async () => {
      mock.timers.tick(10_000);
      assert.deepEqual(lines, [], 'nothing to say before anything is expected');
      progress.expect(3, 1_000_000_000);
      mock.timers.tick(10_000);
      progress.addBytes(420_000_000);
      progress.fileDone();
      mock.timers.tick(20_000);
      await Promise.resolve();
    });
    mock.timers.tick(60_000);
  } finally {
    mock.timers.reset();
  }
  assert.equal(lines.length, 3, 'none after the work has ended');
  assert.match(
    lines[0] ?? '',
    /^S3 model sync: 0%, 0 B of 1 GB, 0\.0 MB\/s, 0 of 3 files, time left unknown$/,
  );
  assert.match(
    lines[1] ?? '',
    /^S3 model sync: 42%, 420 MB of 1 GB, [\d.]+ MB\/s, 1 of 3 files, [\d.]+ s left$/,
  );
});
