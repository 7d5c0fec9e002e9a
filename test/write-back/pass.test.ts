import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { startPass, type RunningPass } from '../../src/write-back/pass.ts';
import { EXIT_DONE, EXIT_LATER, EXIT_LEFT_SOME, EXIT_NEVER } from '../../src/write-back/pass-end.ts';
import { CacheDir } from '../cache/cache-dir.ts';
import { eventually } from '../support/eventually.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

for (const [code, end] of [
  [EXIT_DONE, 'done'],
  [EXIT_LEFT_SOME, 'left-some'],
  [EXIT_LATER, 'later'],
  [EXIT_NEVER, 'never'],
  [70, 'later'],
] as const) {
  test(`exit code ${code}: ${end}`, async () => {
    assert.equal(await pass(`process.exit(${code})`).ended, end);
  });
}

test('a crash: later, and its stack is kept', async () => {
  const log = scratch.at('crash.log');
  const stderr = openSync(log, 'a');
  const running = pass('throw new Error("our bug")', { stderr });
  closeSync(stderr);
  // Node's own code for a crash is 1, which is not how a pass says that it left some out: it catches its bugs.
  await running.ended;
  assert.match(readFileSync(log, 'utf8'), /our bug/);
});

test('a program that cannot be started: later', async () => {
  assert.equal(await pass('', { args: ['\0'] }).ended, 'later');
});

test('it has the words and the variables that are meant for it', async () => {
  const code = `process.exit(process.argv[2] === 'word' && process.env.ONLY === 'this' ? 77 : 1)`;
  assert.equal(await pass(code, { args: ['word'], env: { ONLY: 'this' } }).ended, 'never');
});

test('parked, it ends as it wants to; killed, it ends', async () => {
  const ready = scratch.at('ready');
  const code = (how: string): string =>
    `process.on('SIGTERM', () => ${how}); require('fs').writeFileSync('${ready}', ''); setInterval(() => {}, 1000)`;
  const polite = pass(code('process.exit(77)'));
  await isReady(ready);
  polite.park();
  assert.equal(await polite.ended, 'never');
  const deaf = pass(code('0'));
  await isReady(ready);
  deaf.park();
  deaf.kill();
  assert.equal(await deaf.ended, 'later');
});

test('its lifeline is cut when we are killed', async () => {
  const [ready, cut] = [scratch.at('alive'), scratch.at('cut')];
  const file = scratch.file(
    'lifeline.cjs',
    `const fs = require('fs'); process.stdin.on('end', () => { fs.writeFileSync('${cut}', ''); process.exit() });
    process.stdin.resume(); fs.writeFileSync('${ready}', '')`,
  );
  const starter = scratch.file(
    'starter.ts',
    `import { startPass } from ${JSON.stringify(new URL('../../src/write-back/pass.ts', import.meta.url).href)};
    startPass({ program: '${scratch.at(file)}', args: [], env: {}, stderr: 'ignore' });`,
  );
  const parent = spawn(process.execPath, [scratch.at(starter)], { stdio: 'ignore' });
  await isReady(ready);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await isReady(cut);
});

let count = 0;
function pass(code: string, options: Partial<Parameters<typeof startPass>[0]> = {}): RunningPass {
  const file = scratch.file(`pass-${(count += 1)}.cjs`, code);
  return startPass({ program: scratch.at(file), args: [], env: {}, stderr: 'ignore', ...options });
}

/** Each file is waited for once. */
async function isReady(file: string): Promise<void> {
  await eventually(file, () => {
    try {
      readFileSync(file);
      rmSync(file);
      return true;
    } catch {
      return false;
    }
  });
}
