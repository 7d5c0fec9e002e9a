import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { array, assert as assertProperty, nat, property } from 'fast-check';
import { Arrival, BLOCK_BYTES, wholeBlocks } from '../../src/model/arrival.ts';
import type { ByteRange } from '../../src/model/parts.ts';

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
    arrival.add(3 * B, 3 * B + 5);
    assert.equal(arrival.reachFrom(2 * B, B), 2 * B);
    assert.equal(arrival.reachFrom(3 * B, B), 3 * B + 5);
  });

  test('grows with a block only when the end of it was written', () => {
    const arrival = Arrival.of(2 * B);
    arrival.add(0, B - 1);
    assert.equal(arrival.reachFrom(0, B), 0);
    arrival.add(B - 1, B);
    assert.equal(arrival.reachFrom(0, B), B);
    assert.equal(arrival.isWhole, false);
    arrival.add(B, 2 * B);
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
          if (from < to) arrival.add(from, to);
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
    other.add(0, B);
    assert.equal(await isSettled(waiting), false);
    other.add(B, 2 * B);
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

async function isSettled(work: Promise<unknown>): Promise<boolean> {
  return Promise.race([work.then(() => true), sleep(20).then(() => false)]);
}

test('a part is proved when all of its blocks are, and until somebody else may have written to it', () => {
  const arrival = Arrival.of(10 * BLOCK_BYTES + 5);
  const part = { start: 2 * BLOCK_BYTES, end: 4 * BLOCK_BYTES };
  const last = { start: 8 * BLOCK_BYTES, end: 10 * BLOCK_BYTES + 5 };
  for (const { start, end } of [part, last]) arrival.add(start, end);
  assert.equal(arrival.isProved(part), false);
  for (const proved of [part, last]) arrival.prove(proved);
  assert.equal(arrival.isProved(part), true);
  assert.equal(arrival.isProved(last), true);
  assert.equal(arrival.isProved({ start: BLOCK_BYTES, end: part.end }), false);
  arrival.add(part.start, part.end);
  assert.equal(arrival.isProved(part), true, 'that it was written is no news');
  arrival.doubt({ start: 3 * BLOCK_BYTES, end: 4 * BLOCK_BYTES });
  assert.equal(arrival.isProved(part), false);
  assert.equal(arrival.reachFrom(part.start, 100 * B), part.end, 'it is still there');
});
