import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as assertProperty, asyncProperty, integer, nat } from 'fast-check';
import { Lanes } from '../../src/transfer/lanes.ts';

/** Work that goes on until it is told to end, and the order in which it began. */
class Works {
  readonly lanes: Lanes;
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  constructor(width: number) {
    this.lanes = new Lanes(width);
  }

  run(name: string, turn = 0): Promise<string> {
    return this.lanes.run(turn, async () => {
      this.begun.push(name);
      await new Promise<void>((end) => this.#ends.set(name, end));
      return name;
    });
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.();
    await new Promise(setImmediate);
  }
}

test('so many are at work at once, and the next one begins when one ends', async () => {
  const works = new Works(2);
  const done = ['a', 'b', 'c'].map((name) => works.run(name));
  await new Promise(setImmediate);
  assert.deepEqual([works.begun, works.lanes.active, works.lanes.isFull], [['a', 'b'], 2, true]);
  await works.end('b');
  assert.deepEqual([works.begun, works.lanes.isFull], [['a', 'b', 'c'], false]);
  await works.end('a');
  await works.end('c');
  assert.deepEqual(await Promise.all(done), ['a', 'b', 'c']);
  assert.equal(works.lanes.active, 0);
});

test('of those that wait, a lower turn is first, and then who has waited longer', async () => {
  const works = new Works(1);
  const order = ['2a', '1a', '2b', '1b', '3a'];
  void works.run('first');
  for (const name of order) void works.run(name, Number(name[0]));
  await new Promise(setImmediate);
  for (const name of ['first', '1a', '1b', '2a', '2b', '3a']) await works.end(name);
  assert.deepEqual(works.begun, ['first', '1a', '1b', '2a', '2b', '3a']);
});

test('more lanes are filled at once; fewer are left as they become free', async () => {
  const works = new Works(1);
  for (const name of ['a', 'b', 'c', 'd']) void works.run(name);
  works.lanes.width = 3;
  await new Promise(setImmediate);
  assert.deepEqual(works.begun, ['a', 'b', 'c']);
  works.lanes.width = 1;
  await works.end('a');
  await works.end('b');
  assert.equal(works.begun.length, 3);
  await works.end('c');
  assert.deepEqual(works.begun, ['a', 'b', 'c', 'd']);
});

test('work that fails gives its lane back', async () => {
  const lanes = new Lanes(1);
  const fail = (): Promise<never> => Promise.reject(new Error('no'));
  await assert.rejects(lanes.run(0, fail), /no/);
  assert.equal(await lanes.run(0, () => Promise.resolve(7)), 7);
});

test('whatever waits, it is all done, and never more at once than there are lanes', async () => {
  await assertProperty(
    asyncProperty(integer({ min: 1, max: 5 }), array(nat(3), { maxLength: 30 }), async (width, turns) => {
      const lanes = new Lanes(width);
      let most = 0;
      const done = turns.map((turn) =>
        lanes.run(turn, async () => {
          most = Math.max(most, lanes.active);
          await new Promise(setImmediate);
          return turn;
        }),
      );
      assert.deepEqual(await Promise.all(done), turns);
      assert.ok(most <= width);
    }),
    { seed: 5, numRuns: 30 },
  );
});
