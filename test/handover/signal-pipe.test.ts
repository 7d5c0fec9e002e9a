import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { SignalPipe } from '../../src/handover/signal-pipe.ts';

const { SIGHUP, SIGWINCH } = constants.signals;

test('what was caught and not told is waiting, in the order it came, and is told when the event loop turns', async () => {
  const told: string[] = [];
  const listeners = (['SIGWINCH', 'SIGHUP'] as const).map((name) => {
    const listener = (): void => void told.push(name);
    process.on(name, listener);
    return { name, listener };
  });
  const pipe = SignalPipe.find();
  assert.deepEqual(pipe.waiting(), []);
  process.kill(process.pid, 'SIGHUP');
  process.kill(process.pid, 'SIGWINCH');
  assert.deepEqual(pipe.waiting(), [SIGHUP, SIGWINCH]);
  assert.deepEqual(pipe.waiting(), [SIGHUP, SIGWINCH]);
  assert.deepEqual(told, []);
  await new Promise((turned) => setTimeout(turned, 20));
  assert.deepEqual(told, ['SIGHUP', 'SIGWINCH']);
  assert.deepEqual(pipe.waiting(), []);
  for (const { name, listener } of listeners) process.off(name, listener);
});

test('what was caught before its listener went is still waiting', () => {
  const listener = (): void => undefined;
  process.on('SIGWINCH', listener);
  process.kill(process.pid, 'SIGWINCH');
  process.off('SIGWINCH', listener);
  assert.deepEqual(SignalPipe.find().waiting(), [SIGWINCH]);
});
