import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { DiskSigns } from '../../src/threads/disk-signs.ts';
import { threadBegins } from '../../src/threads/frugal.ts';
import type { ThreadData } from '../../src/threads/thread-data.ts';
import type { FromThread, ToThread } from '../../src/threads/errands.ts';
import { Outbox } from '../../src/threads/outbox.ts';

interface Errand {
  readonly say: number;
  readonly last: string;
}
type Message = FromThread<number, string, string>;

test('each errand says what it says in its order, and then how it ended', async () => {
  await withThread(async ({ send, heard, untilEnded }) => {
    send({ kind: 'do', id: 1, errand: { say: 3, last: 'end' } });
    send({ kind: 'do', id: 2, errand: { say: 2, last: 'fail' } });
    await untilEnded(2);
    const of = (id: number): readonly Message[] => heard.filter((message) => message.id === id);
    const said = (id: number, number: number): Message => ({ kind: 'said', id, said: number });
    assert.deepEqual(of(1), [said(1, 1), said(1, 2), said(1, 3), { kind: 'done', id: 1, result: 'end' }]);
    assert.deepEqual(of(2), [said(2, 1), said(2, 2), { kind: 'failed', id: 2, failure: 'as told' }]);
  });
});

test('what is put out in one turn crosses together', async () => {
  await withThread(async ({ send, crossings, untilEnded }) => {
    for (let id = 1; id <= 50; id += 1) send({ kind: 'do', id, errand: { say: 1, last: 'end' } });
    await untilEnded(50);
    assert.ok(crossings() < 50, `${crossings()} crossings for 100 messages`);
  });
});

test('a stop reaches the errand that it is for; one for an errand that is over is nothing', async () => {
  await withThread(async ({ send, heard, untilEnded }) => {
    for (const id of [1, 2]) send({ kind: 'do', id, errand: { say: 0, last: 'wait' } });
    send({ kind: 'stop', id: 9 });
    send({ kind: 'stop', id: 2 });
    await untilEnded(1);
    assert.deepEqual(heard, [{ kind: 'done', id: 2, result: 'wait' }]);
    send({ kind: 'stop', id: 2 });
    send({ kind: 'stop', id: 1 });
    await untilEnded(2);
  });
});

test('a reply reaches the errand that has said something; one to an errand that is over is nothing', async () => {
  await withThread(async ({ send, heard, untilEnded }) => {
    for (const id of [1, 2]) send({ kind: 'do', id, errand: { say: 0, last: 'hear' } });
    send({ kind: 'reply', id: 9, reply: 'nobody' });
    send({ kind: 'reply', id: 2, reply: 'heard' });
    await untilEnded(1);
    assert.deepEqual(heard, [{ kind: 'done', id: 2, result: 'heard' }]);
    send({ kind: 'reply', id: 2, reply: 'again' });
    send({ kind: 'reply', id: 1, reply: 'too' });
    await untilEnded(2);
  });
});

test('a thread that is at the disk can be seen there', async () => {
  await withThread(async ({ send, signs, untilEnded }) => {
    send({ kind: 'do', id: 1, errand: { say: 0, last: 'disk' } });
    while (!signs.isAtDisk) await new Promise(setImmediate);
    assert.equal(signs.look(), true);
    await untilEnded(1);
    assert.equal(signs.look(), false);
  });
});

async function withThread(
  work: (thread: {
    readonly send: (message: ToThread<Errand, string>) => void;
    readonly heard: readonly Message[];
    readonly crossings: () => number;
    readonly signs: DiskSigns;
    readonly untilEnded: (count: number) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const signs = new DiskSigns();
  const worker = new Worker(join(import.meta.dirname, 'echo-thread.ts'), {
    workerData: { signs: signs.memory, beginning: threadBegins() } satisfies ThreadData,
  });
  const outbox = new Outbox<ToThread<Errand, string>>(worker);
  const heard: Message[] = [];
  let crossings = 0;
  worker.on('message', (messages: readonly Message[]) => {
    crossings += 1;
    heard.push(...messages);
  });
  const untilEnded = async (count: number): Promise<void> => {
    while (heard.filter(({ kind }) => kind !== 'said').length < count) await new Promise(setImmediate);
  };
  try {
    await work({
      send: (message) => outbox.put(message),
      heard,
      crossings: () => crossings,
      signs,
      untilEnded,
    });
  } finally {
    await worker.terminate();
  }
}
