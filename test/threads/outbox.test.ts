import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Outbox } from '../../src/threads/outbox.ts';

test('messages of one turn of the event loop cross together', async () => {
  const { outbox, crossings } = recorded();
  outbox.put('a');
  outbox.put('b');
  assert.deepEqual(crossings, []);
  await nextTurn();
  outbox.put('c');
  await nextTurn();
  assert.deepEqual(crossings, [['a', 'b'], ['c']]);
});

test('what can wait crosses with the next that cannot, in order', async () => {
  const { outbox, crossings } = recorded();
  outbox.putSoon('a');
  outbox.put('b');
  outbox.putSoon('c');
  await nextTurn();
  assert.deepEqual(crossings, [['a', 'b', 'c']]);
  await sleep(20);
  assert.equal(crossings.length, 1, 'nothing crosses twice');
});

test('what can wait crosses by itself, with what came meanwhile', async () => {
  const { outbox, crossings } = recorded();
  outbox.putSoon('a');
  await Promise.resolve();
  outbox.putSoon('b');
  await sleep(20);
  assert.deepEqual(crossings, [['a', 'b']]);
  outbox.putSoon('c');
  await sleep(20);
  assert.deepEqual(crossings, [['a', 'b'], ['c']]);
});

function recorded(): { readonly outbox: Outbox<string>; readonly crossings: readonly (readonly string[])[] } {
  const crossings: string[][] = [];
  return {
    outbox: new Outbox({ postMessage: (messages: string[]) => void crossings.push([...messages]) }),
    crossings,
  };
}
