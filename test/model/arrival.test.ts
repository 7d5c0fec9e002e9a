import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { array, assert as assertProperty, nat, property } from 'fast-check';
import { Arrival, BLOCK_BYTES, wholeBlocks } from '../../src/model/arrival.ts';
import type { ByteRange } from '../../src/model/parts.ts';
import type { Bringing } from './arrival-thread.ts';

const RUNS = { seed: 5, numRuns: 100 };
const B = BLOCK_BYTES;

describe('of what a killed run has left, whole blocks count', () => {
  const size = 4 * B + 7;
  const rows: readonly { name: string; done: readonly ByteRange[]; whole: readonly ByteRange[] }[] = [
    { name: 'nothing', done: [], whole: [] },
    { name: 'everything', done: [{ start: 0, end: size }], whole: [{ start: 0, end: size }] },
    { name: 'less than a block', done: [{ start: 0, end: B - 1 }], whole: [] },
    { name: 'a block that begins late', done: [{ start: 1, end: 2 * B }], whole: [{ start: B, end: 2 * B }] },
    { name: 'a block that ends early', done: [{ start: 0, end: 2 * B - 1 }], whole: [{ start: 0, end: B }] },
    {
      name: 'the last one, which is short',
      done: [{ start: 4 * B, end: size }],
      whole: [{ start: 4 * B, end: size }],
    },
    { name: 'a part of the last one', done: [{ start: 4 * B, end: size - 1 }], whole: [] },
    { name: 'two blocks, of which none is whole', done: [{ start: 1, end: 2 * B - 1 }], whole: [] },
  ];
  for (const { name, done, whole } of rows)
    test(name, () => assert.deepEqual(wholeBlocks(size, done), whole));
});

describe('what is there without a gap', () => {
  test('reaches to the first block that is missing, and no further than was asked', () => {
    const arrival = Arrival.of(3 * B + 5, [{ start: 0, end: 2 * B }]);
    assert.equal(arrival.reachFrom(0, 10 * B), 2 * B);
    assert.equal(arrival.reachFrom(B + 3, 10 * B), 2 * B);
    assert.equal(arrival.reachFrom(0, 100), 100);
    assert.equal(arrival.reachFrom(2 * B, B), 2 * B);
    add(arrival, 3 * B, 3 * B + 5);
    assert.equal(arrival.reachFrom(2 * B, B), 2 * B);
    assert.equal(arrival.reachFrom(3 * B, B), 3 * B + 5);
  });

  test('grows with a block only when the end of it was written', () => {
    const arrival = Arrival.of(2 * B);
    add(arrival, 0, B - 1);
    assert.equal(arrival.reachFrom(0, B), 0);
    add(arrival, B - 1, B);
    assert.equal(arrival.reachFrom(0, B), B);
    assert.equal(arrival.isWhole, false);
    add(arrival, B, 2 * B);
    assert.equal(arrival.isWhole, true);
  });

  test('is all of an empty file, from the start', () => assert.equal(Arrival.of(0).isWhole, true));

  test('is the same, in whatever order blocks are filled, each piece after piece', () => {
    assertProperty(
      property(nat(5 * B), array(nat(4), { minLength: 1, maxLength: 40 }), (size, turns) => {
        const arrival = Arrival.of(size);
        const ends = Array.from({ length: Math.ceil(size / B) }, (_, block) =>
          Math.min(size, (block + 1) * B),
        );
        const written = ends.map((_, block) => block * B);
        for (const turn of turns) {
          const block = turn % Math.max(1, ends.length);
          const [from = 0, end = 0] = [written[block], ends[block]];
          const to = Math.min(end, from + Math.ceil(B / 3));
          if (from < to) add(arrival, from, to);
          written[block] = to;
        }
        const gap = ends.findIndex((end, block) => written[block] !== end);
        assert.equal(arrival.reachFrom(0, size), gap < 0 ? size : gap * B);
        assert.equal(arrival.isWhole, gap < 0);
      }),
      RUNS,
    );
  });
});

describe('who waits for a block', () => {
  test('is woken when it is there, also by what another thread writes into the same memory', async () => {
    const arrival = Arrival.of(2 * B);
    const waiting = arrival.block(B + 1);
    const other = new Arrival(arrival.memory);
    add(other, 0, B);
    assert.equal(await isSettled(waiting), false);
    add(other, B, 2 * B);
    await waiting;
  });

  test('is woken when nothing comes any more', async () => {
    const arrival = Arrival.of(2 * B);
    const waiting = [arrival.block(0), arrival.block(B)];
    arrival.end();
    await Promise.all(waiting);
    assert.equal(arrival.isEnded, true);
    assert.equal(arrival.isWhole, false);
  });
});

describe('where several write to the same blocks', () => {
  test('what is whole is left as it is, and pieces of what is not are written', () => {
    const arrival = Arrival.of(4 * B + 7, [{ start: B, end: 2 * B }]);
    const pieces: ByteRange[] = [];
    const write = (piece: ByteRange): void => void pieces.push(piece);
    assert.equal(arrival.writeMissing({ start: B - 5, end: 4 * B + 7 }, write), false);
    assert.deepEqual(pieces.splice(0), [
      { start: B - 5, end: B },
      { start: 2 * B, end: 4 * B + 7 },
    ]);
    assert.equal(arrival.isWhole, true);
    assert.equal(arrival.writeMissing({ start: 0, end: 4 * B }, write), false);
    assert.deepEqual(pieces, []);
  });

  test('a piece that could not be written is missing, and may be brought again', () => {
    const arrival = Arrival.of(2 * B);
    const fail = (): never => {
      throw new Error('a disk');
    };
    assert.throws(() => arrival.writeMissing({ start: 0, end: 2 * B }, fail), { message: 'a disk' });
    assert.equal(arrival.reachFrom(0, 2 * B), 0);
    assert.equal(
      arrival.writeMissing({ start: 0, end: 2 * B }, () => undefined),
      true,
    );
    assert.equal(arrival.isWhole, true);
  });

  test('one waits while another writes, and then writes only what is not whole', async () => {
    const arrival = Arrival.of(2 * B);
    const written = Promise.withResolvers<void>();
    const pieces: ByteRange[] = [];
    const first = arrival.writeMissingAside({ start: 0, end: B }, () => written.promise);
    const second = arrival.writeMissingAside({ start: 0, end: 2 * B }, (piece) => {
      pieces.push(piece);
      return Promise.resolve();
    });
    assert.equal(await isSettled(second), false);
    assert.deepEqual(pieces, []);
    written.resolve();
    await Promise.all([first, second]);
    assert.deepEqual(pieces, [{ start: B, end: 2 * B }]);
    assert.equal(arrival.isWhole, true);
  });

  test('threads that bring different bytes change nothing that is whole', async () => {
    const size = 40 * B + 77;
    const file = new SharedArrayBuffer(size);
    const bytes = new Uint8Array(file);
    const arrival = Arrival.of(size);
    const threads = [1, 2, 3].map((mark) => {
      const pieceBytes = Math.floor((B * mark) / 5);
      const workerData: Bringing = { arrival: arrival.memory, file, mark, pieceBytes };
      return new Worker(new URL('arrival-thread.ts', import.meta.url), { workerData });
    });
    const seen: Buffer[] = [];
    for (let position = 0; position < size; position += B) {
      await arrival.block(position);
      seen.push(Buffer.from(bytes.subarray(position, Math.min(size, position + B))));
    }
    await Promise.all(threads.map((thread) => once(thread, 'exit')));
    assert.ok(Buffer.concat(seen).equals(bytes));
    assert.equal(bytes.includes(0), false);
    assert.equal(arrival.isWhole, true);
  });
});

async function isSettled(work: Promise<unknown>): Promise<boolean> {
  return Promise.race([work.then(() => true), sleep(20).then(() => false)]);
}

test('a part is proved when all of its blocks are, and until somebody else may have written to it', () => {
  const arrival = Arrival.of(10 * BLOCK_BYTES + 5);
  const part = { start: 2 * BLOCK_BYTES, end: 4 * BLOCK_BYTES };
  const last = { start: 8 * BLOCK_BYTES, end: 10 * BLOCK_BYTES + 5 };
  for (const { start, end } of [part, last]) add(arrival, start, end);
  assert.equal(arrival.isProved(part), false);
  for (const proved of [part, last]) arrival.prove(proved);
  assert.equal(arrival.isProved(part), true);
  assert.equal(arrival.isProved(last), true);
  assert.equal(arrival.isProved({ start: BLOCK_BYTES, end: part.end }), false);
  add(arrival, part.start, part.end);
  assert.equal(arrival.isProved(part), true, 'that it was written is no news');
  arrival.doubt({ start: 3 * BLOCK_BYTES, end: 4 * BLOCK_BYTES });
  assert.equal(arrival.isProved(part), false);
  assert.equal(arrival.reachFrom(part.start, 100 * B), part.end, 'it is still there');
});

function add(arrival: Arrival, start: number, end: number): void {
  arrival.writeMissing({ start, end }, () => undefined);
}
