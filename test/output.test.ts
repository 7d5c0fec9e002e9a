import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { test, type TestContext } from 'node:test';
import { print, writeAll } from '../src/output.ts';

test('a full pipe is waited for, with a pause between the tries', (context) => {
  const written: string[] = [];
  let refusals = 3;
  withWrite(context, (_, bytes, offset) => {
    refusals -= 1;
    if (refusals >= 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    written.push(bytes.toString('utf8', offset, offset + 2));
    return Math.min(2, bytes.length - offset);
  });
  const pauses = context.mock.method(Atomics, 'wait', () => 'timed-out');
  writeAll(1, 'words');
  assert.deepEqual(written, ['wo', 'rd', 's']);
  assert.equal(pauses.mock.callCount(), 3);
});

test('a closed descriptor is not worth an error', (context) => {
  withWrite(context, () => {
    throw Object.assign(new Error('closed'), { code: 'EPIPE' });
  });
  writeAll(1, 'words');
});

test('what was asked for and cannot be printed is an error, unless nobody reads it any more', (context) => {
  let code = 'ENOSPC';
  withWrite(context, () => {
    throw Object.assign(new Error(`${code}: no`), { code });
  });
  assert.throws(() => print('words'), { code: 'disk-full', message: /stdout took not all of .*ENOSPC/ });
  code = 'EPIPE';
  print('words');
});

test('a reader that begins late gets everything', async () => {
  const output = JSON.stringify(new URL('../src/output.ts', import.meta.url).href);
  const script = `import { writeAll } from ${output}; writeAll(1, 'x'.repeat(300_000));`;
  const writer = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(writer, 'spawn');
  let length = 0;
  for await (const chunk of writer.stdout) length += (chunk as Buffer).length;
  assert.equal(length, 300_000);
});

function withWrite(context: TestContext, write: (fd: number, bytes: Buffer, offset: number) => number): void {
  context.mock.method(fs, 'writeSync', write);
  syncBuiltinESMExports();
  context.after(() => {
    context.mock.restoreAll();
    syncBuiltinESMExports();
  });
}
