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
