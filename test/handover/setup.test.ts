import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError } from '../../src/errors.ts';
import { runSetup, type SetupOptions } from '../../src/handover/setup.ts';
import { soon } from '../store/bodies.ts';

const scratch = mkdtempSync(join(tmpdir(), 'setup-'));
after(() => rmSync(scratch, { recursive: true }));

test('every line of both outputs is told, without the empty ones', async () => {
  const lines = await linesOf('echo one; echo; echo two >&2; printf three');
  assert.deepEqual(lines.toSorted(), ['one', 'three', 'two']);
});

test('a shell reads it, with the environment it is given and nothing to read', async () => {
  assert.deepEqual(await linesOf('cat; echo "$GREETING world" | tr a-z A-Z', { GREETING: 'hello' }), [
    'HELLO WORLD',
  ]);
});

test('much output is read to its end', async () => {
  const lines = await linesOf('seq 1 20000');
  assert.equal(lines.length, 20_000);
  assert.equal(lines.at(-1), '20000');
});

test('a carriage return ends a line, as in a progress bar', async () => {
  assert.deepEqual(await linesOf(String.raw`printf '10 %%\r20 %%\r\ndone\r\n'`), ['10 %', '20 %', 'done']);
});

test('a line that comes in pieces is one, also where a piece ends within a character', async () => {
  const command = String.raw`printf 'a \303'; sleep 0.2; printf '\251'; sleep 0.2; printf ' b\n'`;
  assert.deepEqual(await linesOf(command), ['a é b']);
});

test('a line of 64 KiB is told whole; of a longer one, the rest is dropped, and half a character with it', async () => {
  const [whole, longer] = ['a'.repeat(65536), `${'b'.repeat(65535)}é`];
  const env = { WHOLE: whole, LONGER: longer };
  assert.deepEqual(await linesOf('echo $WHOLE; echo $LONGER; echo $WHOLE$LONGER; echo next', env), [
    whole,
    `${'b'.repeat(65535)}...`,
    `${whole}...`,
    'next',
  ]);
});

test('a line without an end takes no memory', async () => {
  const before = process.memoryUsage.rss();
  const [line, ...more] = await soon(linesOf('head -c 600000000 /dev/zero'), 60_000);
  assert.ok(line?.endsWith('...') === true && line.length === 65539);
  assert.deepEqual(more, []);
  assert.ok(process.memoryUsage.rss() - before < 300e6);
});

test('a command that fails is setup-failed, with its exit code', async () => {
  await assert.rejects(linesOf('exit 7'), { code: 'setup-failed', message: /exit 7: exit code 7/ });
  await assert.rejects(linesOf('no-such-command-anywhere'), { code: 'setup-failed', message: /127/ });
  await assert.rejects(linesOf('kill -KILL $$'), { code: 'setup-failed', message: /SIGKILL/ });
});

test('one that takes too long is ended with everything it has started', async () => {
  const pids = join(scratch, 'timeout');
  const command = `sleep 300 & echo $! > ${pids}; (sleep 300; true) & echo $! >> ${pids}; wait`;
  await assert.rejects(soon(linesOf(command, {}, { timeout: 500 })), {
    code: 'setup-failed',
    message: /0\.5 s.*--setup-timeout/,
  });
  await assertEnded(pids);
});

test('an abort ends it with everything it has started, and is the reason', async () => {
  const pids = join(scratch, 'abort');
  const stop = new AbortController();
  const why = new ModelCacheError('interrupted', 'stopped');
  const onLine = (): void => stop.abort(why);
  const command = `sleep 300 & echo $! > ${pids}; echo started; wait`;
  await assert.rejects(
    soon(runSetup(command, { env: ourPath(), timeout: 0, signal: stop.signal, onLine })),
    why,
  );
  await assertEnded(pids);
});

test('when the stop came before, nothing is started', async () => {
  const made = join(scratch, 'made-after-the-stop');
  const signal = AbortSignal.abort(new ModelCacheError('interrupted', 'stopped'));
  await assert.rejects(soon(linesOf(`touch ${made}; sleep 300`, {}, { signal, timeout: 4000 }), 3000), {
    code: 'interrupted',
  });
  assert.equal(existsSync(made), false);
});

test('what it leaves in the background does not hold up the start', async () => {
  const pids = join(scratch, 'background');
  await soon(linesOf(`sleep 300 & echo $! > ${pids}`));
  process.kill(Number(readFileSync(pids, 'utf8')), 'SIGKILL');
});

test('what it leaves in the background is not listened to any more', async () => {
  const pids = join(scratch, 'chatty');
  const lines: string[] = [];
  const { signal } = new AbortController();
  const onLine = (line: string): void => void lines.push(line);
  const chatter = 'while echo chat; do sleep 0.02; done';
  const command = `(${chatter}) & echo $! > ${pids}; (${chatter}) >&2 & echo $! >> ${pids}`;
  await soon(runSetup(command, { env: ourPath(), timeout: 0, signal, onLine }));
  const told = lines.length;
  assert.ok(told > 0);
  // Nobody reads what they say: their next word is their last one.
  await assertEnded(pids);
  assert.equal(lines.length, told);
});

test('the beginning of a line is told, though the background keeps its end open', async () => {
  const pids = join(scratch, 'beginning');
  assert.deepEqual(await soon(linesOf(`sleep 300 & echo $! > ${pids}; printf unfinished`)), ['unfinished']);
  process.kill(Number(readFileSync(pids, 'utf8')), 'SIGKILL');
});

test('a timeout of 0 is none, and one of months is months', async () => {
  for (const timeout of [0, 60 * 24 * 3600 * 1000])
    assert.deepEqual(await linesOf('sleep 0.2; echo done', {}, { timeout }), ['done']);
});

async function linesOf(
  command: string,
  env: Record<string, string> = {},
  options: Partial<SetupOptions> = {},
): Promise<readonly string[]> {
  const lines: string[] = [];
  const { signal } = new AbortController();
  const onLine = (line: string): void => void lines.push(line);
  await runSetup(command, { env: { ...ourPath(), ...env }, timeout: 20_000, signal, onLine, ...options });
  return lines;
}

function ourPath(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '' };
}

async function assertEnded(pids: string): Promise<void> {
  const names = readFileSync(pids, 'utf8').trim().split('\n');
  for (const deadline = Date.now() + 5000; names.some(isRunning);) {
    assert.ok(Date.now() < deadline, `${names.filter(isRunning).join(', ')} still runs`);
    await sleep(20);
  }
}

function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
