import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCodeOf, SignalWatch } from '../../src/handover/signals.ts';
import { launch } from './run-launcher.ts';

for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const) {
  test(`${signal} is caught, aborts, and ends nothing by itself`, async () => {
    const { child, said, ended } = launch(['watch']);
    await said('launcher');
    child.kill(signal);
    const { out, end } = await ended;
    assert.match(out, new RegExp(`caught ${signal} interrupted`));
    assert.equal(end, 0);
  });
}

for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
  test(`${signal}, which is for the server, neither ends a start nor opens the debugger`, async () => {
    const { child, said, ended } = launch(['watch']);
    await said('launcher');
    child.kill(signal);
    child.kill('SIGTERM');
    const { out, end } = await ended;
    assert.match(out, /caught SIGTERM interrupted/);
    assert.doesNotMatch(out, /Debugger/);
    assert.equal(end, 0);
  });
}

test('nothing caught is undefined, and nothing has aborted', async () => {
  const watch = new SignalWatch();
  assert.equal(await watch.caught(), undefined);
  assert.equal(watch.signal.aborted, false);
  watch.release();
});

test('the first signal counts, and after the release none does', async () => {
  const watch = new SignalWatch();
  process.emit('SIGTERM', 'SIGTERM');
  process.emit('SIGINT', 'SIGINT');
  assert.equal(await watch.caught(), 'SIGTERM');
  const listeners = process.listenerCount('SIGTERM');
  watch.release();
  assert.equal(process.listenerCount('SIGTERM'), listeners - 1);
});

test('the exit code of a signal is 128 and its number', () => {
  const codes = (['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGTERM'] as const).map((name) => exitCodeOf(name));
  assert.deepEqual(codes, [129, 130, 137, 143]);
});
