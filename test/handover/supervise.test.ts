import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launch } from './run-launcher.ts';

test('the exit code is the server’s', async () => {
  for (const code of [0, 1, 42]) {
    const { end } = await launch(['supervise', 'sh', '-c', `exit ${code}`]).ended;
    assert.equal(end, code);
  }
});

for (const [signal, code] of [
  ['TERM', 143],
  ['KILL', 137],
  ['SEGV', 139],
] as const) {
  test(`a server that SIG${signal} ended is ${code}`, async () => {
    const { end } = await launch(['supervise', 'sh', '-c', `kill -${signal} $$`]).ended;
    assert.equal(end, code);
  });
}

for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const) {
  test(`${signal} is passed on, and the server decides how to end`, async () => {
    const name = signal.slice(3);
    const server = `trap 'echo got ${name}; exit 5' ${name}; sleep 0.3; echo up; while :; do sleep 0.05; done`;
    const { child, said, ended } = launch(['supervise', 'sh', '-c', server]);
    await said('up');
    child.kill(signal);
    const { out, end } = await ended;
    assert.match(out, new RegExp(`got ${name}`));
    assert.equal(end, 5);
  });
}

test('the server has our standard input and the words it was given', async () => {
  const { child, ended } = launch(['supervise', 'sh', '-c', 'cat; echo "$0 $1"', 'name', 'two words']);
  child.stdin?.end('through\n');
  assert.match((await ended).out, /through\nname two words/);
});

test('a stop that came before keeps the server from starting', async () => {
  const { child, said, ended } = launch(['supervise', 'sh', '-c', 'echo started'], {
    LAUNCHER_IS_BUSY: '500',
  });
  await said('launcher');
  child.kill('SIGTERM');
  const { out, end } = await ended;
  assert.doesNotMatch(out, /started/);
  assert.equal(end, 143);
});
