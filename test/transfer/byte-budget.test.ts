import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteBudget } from '../../src/transfer/byte-budget.ts';

/** Work of these sizes; `order` is how it began, `end` ends the one that began first of those under way. */
function begun(
  most: { bytes: number; count: number },
  sizes: readonly number[],
): { readonly order: readonly number[]; readonly end: () => Promise<void> } {
  const budget = new ByteBudget(most);
  const order: number[] = [];
  const ends: (() => void)[] = [];
  for (const size of sizes) {
    void budget.run(size, () => {
      order.push(size);
      return new Promise<void>((done) => ends.push(done));
    });
  }
  return {
    order,
    end: async () => {
      ends.shift()?.();
      await new Promise((turn) => setImmediate(turn));
    },
  };
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

test('so many bytes at once, and so many things', async () => {
  const many = begun({ bytes: 100, count: 3 }, [1, 2, 3, 4]);
  const large = begun({ bytes: 100, count: 10 }, [60, 40, 1]);
  await turn();
  assert.deepEqual(many.order, [1, 2, 3]);
  assert.deepEqual(large.order, [60, 40]);
  await many.end();
  await large.end();
  assert.deepEqual(many.order, [1, 2, 3, 4]);
  assert.deepEqual(large.order, [60, 40, 1]);
});

test('what is larger than all of it has it alone, and nobody is overtaken', async () => {
  const work = begun({ bytes: 100, count: 10 }, [50, 500, 1]);
  await turn();
  assert.deepEqual(work.order, [50]);
  await work.end();
  assert.deepEqual(work.order, [50, 500]);
  await work.end();
  assert.deepEqual(work.order, [50, 500, 1]);
});

test('what fails gives its share back', async () => {
  const budget = new ByteBudget({ bytes: 1, count: 1 });
  await assert.rejects(
    budget.run(1, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(await budget.run(1, () => Promise.resolve('done')), 'done');
});
