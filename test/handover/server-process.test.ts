import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning, thisProcess } from '../../src/handover/server-process.ts';
import { eventually } from '../support/eventually.ts';

const skip = existsSync('/proc/self/stat') ? false : 'no /proc here';

test('this process runs', () => {
  assert.equal(thisProcess().pid, process.pid);
  assert.equal(isRunning(thisProcess()), true);
});

test('another process under the same number is not the server', { skip }, () => {
  assert.equal(isRunning({ ...thisProcess(), startTime: '1' }), false);
});

test(
  'a server that was killed does not run, not even before anybody has asked for its exit code',
  { skip },
  async () => {
    // The shell becomes a program that never asks for its children.
    const parent = spawn('sh', ['-c', 'sleep 300 & echo $!; exec sleep 300'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const server = { pid, startTime: startTimeOf(pid) };
    assert.equal(isRunning(server), true);
    process.kill(pid, 'SIGKILL');
    await eventually('a zombie', () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
    assert.equal(isRunning(server), false);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    assert.equal(isRunning(server), false);
  },
);

test('a command whose name looks like the end of its name', { skip }, async (context) => {
  const dir = mkdtempSync(join(tmpdir(), 'server-process-'));
  context.after(() => rmSync(dir, { recursive: true }));
  const name = join(dir, 'a) Z 1 (b');
  copyFileSync('/bin/sleep', name);
  const child = spawn(name, ['300'], { stdio: 'ignore' });
  const { pid = 0 } = child;
  await eventually('the name', () => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('a) Z'));
  assert.equal(isRunning({ pid, startTime: startTimeOf(pid) }), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('the time at which a process started is not changed by what it becomes', { skip }, async () => {
  const child = spawn('sh', ['-c', 'read line; exec sleep 300'], { stdio: ['pipe', 'ignore', 'inherit'] });
  const { pid = 0 } = child;
  const server = { pid, startTime: startTimeOf(pid) };
  child.stdin.end('go\n');
  await eventually('sleep', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
  assert.equal(isRunning(server), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('where start times are not known, a process that takes signals runs', async () => {
  assert.equal(isRunning({ pid: process.pid, startTime: '' }), true);
  const child = spawn('true', { stdio: 'ignore' });
  await once(child, 'exit');
  assert.equal(isRunning({ pid: child.pid ?? 0, startTime: '' }), false);
});

/** What the process itself would say: its own field 22. */
function startTimeOf(pid: number): string {
  return (
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19] ?? ''
  );
}
