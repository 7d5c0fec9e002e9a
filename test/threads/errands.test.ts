import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cachedDataVersionTag } from 'node:v8';
import type { DigestErrand } from '../../src/cache/follow.ts';
import { Arrival } from '../../src/model/arrival.ts';
import type { Found } from '../../src/model/proof.ts';
import { Crew } from '../../src/threads/crew.ts';
import { ErrandFailed, Errands } from '../../src/threads/errands.ts';
import { beFrugal } from '../../src/threads/frugal.ts';
import { NoThread } from '../../src/threads/start.ts';
import type { SystemFailure } from '../../src/threads/system-failure.ts';
import { sha256 } from '../cache/cache-dir.ts';
import type { FetchErrand, ReceiverData } from '../../src/wire/messages.ts';
import { soon } from '../store/bodies.ts';
import { withTcp } from '../wire/scripted-tcp.ts';

type Digester = Errands<DigestErrand, never, Found | undefined, SystemFailure>;

const scratch = mkdtempSync(join(tmpdir(), 'errands-'));
after(() => rmSync(scratch, { recursive: true }));
const path = join(scratch, 'file');
writeFileSync(path, 'content');
const EVENTS = { onSaid: () => undefined, onDisk: () => undefined };

test('a thread goes on any number of errands at once, each with its own result', async () => {
  await withDigester(async (digester, file) => {
    const there = Arrival.of(7, [{ start: 0, end: 7 }]);
    const runs = [1, 2, 3].map(() => soon(digester.run(errand(file.fd, there), EVENTS)));
    assert.equal(digester.active, 3);
    const found = { kind: 'whole', digests: { sha256: sha256('content') } };
    assert.deepEqual(await Promise.all(runs), [found, found, found]);
    assert.equal(digester.active, 0);
  });
});

test('a failure keeps the words of the system', async () => {
  await withDigester(async (digester) => {
    const there = Arrival.of(7, [{ start: 0, end: 7 }]);
    await assert.rejects(soon(digester.run(errand(9999, there), EVENTS)), (error) => {
      assert.ok(error instanceof ErrandFailed);
      assert.partialDeepStrictEqual(error.failure, { code: 'EBADF', syscall: 'read' });
      return true;
    });
  });
});

test('while it is on one, it tells again and again whether the disk holds it', async () => {
  await withDigester(async (digester, file) => {
    const arrival = Arrival.of(7);
    const told = Promise.withResolvers<boolean>();
    const running = digester.run(errand(file.fd, arrival), { ...EVENTS, onDisk: told.resolve });
    assert.equal(await soon(told.promise), false);
    arrival.end();
    assert.equal(await soon(running), undefined);
  });
});

test('a thread that ends takes its errands with it, and goes on none any more', async () => {
  await withDigester(async (digester, file) => {
    const running = soon(digester.run(errand(file.fd, Arrival.of(7)), EVENTS));
    running.catch(() => undefined);
    digester.close();
    const ended = { failure: { kind: 'thread-ended', message: 'the thread has ended' } };
    await assert.rejects(running, ended);
    await assert.rejects(soon(digester.run(errand(file.fd, Arrival.of(7)), EVENTS)), ended);
    assert.equal(digester.active, 0);
  });
});

test('a thread that cannot begin is none: whoever wants something of it does without', async () => {
  beFrugal();
  const frugal = cachedDataVersionTag();
  // What it is to receive from is not said, so it throws while it is loaded.
  const receiver = new Errands<object, never, never, never>('receiver', {});
  assert.notEqual(cachedDataVersionTag(), frugal);
  await assert.rejects(soon(receiver.run({}, EVENTS)), NoThread);
  assert.equal(receiver.hasEnded, true);
  await assert.rejects(soon(receiver.run({}, EVENTS)), NoThread);
  assert.equal(cachedDataVersionTag(), frugal);
});

test('where one more could not begin, those that have go on all errands', async () => {
  await withTcp(
    () => undefined,
    async ({ endpoint, asked }) => {
      const data: { endpoint?: ReceiverData['endpoint']; patience: number } = { endpoint, patience: 0 };
      const crew = new Crew<FetchErrand, never, unknown, never>('receiver', data);
      const fetching = ['one', 'two'].map(async (name, index) => {
        while (asked.length < index) await sleep(5);
        // What it is to receive from is not said to the second, so it throws while it is loaded.
        if (index === 1) delete data.endpoint;
        return crew.run(2, fetchErrand(name), EVENTS);
      });
      while (asked.length < 2) await soon(sleep(5));
      crew.close();
      await Promise.allSettled(fetching);
    },
  );
});

test('where none could begin, there is none', async () => {
  const crew = new Crew<object, never, unknown, never>('receiver', {});
  await assert.rejects(soon(crew.run(2, {}, EVENTS)), NoThread);
  await assert.rejects(soon(crew.run(2, {}, EVENTS)), NoThread);
  crew.close();
});

function fetchErrand(name: string): FetchErrand {
  const path = join(scratch, name);
  const file = { target: `/${name}`, signature: '', size: 1, path, mode: 0o600, algorithms: [] };
  return { kind: 'files', common: ' HTTP/1.1\r\nhost: test', files: [file], onNewConnection: false };
}

function errand(fd: number, { memory }: Arrival): DigestErrand {
  return { fd, arrival: memory, proof: { kind: 'whole', algorithms: ['sha256'] } };
}

async function withDigester(work: (digester: Digester, file: FileHandle) => Promise<void>): Promise<void> {
  const digester: Digester = new Errands('digester', {});
  await using file = await open(path, 'r');
  try {
    await work(digester, file);
  } finally {
    digester.close();
  }
}
