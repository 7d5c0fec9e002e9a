import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpareMemory } from '../../src/transfer/spare-memory.ts';

const MiB = 1024 * 1024;
const memoryOf = (spare: SpareMemory, size: number): Promise<ArrayBufferLike> =>
  spare.lend(size, (bytes) => {
    assert.equal(bytes.length, size);
    return Promise.resolve(bytes.buffer);
  });

test('memory is used again, for what is as large or smaller', async () => {
  const spare = new SpareMemory();
  const first = await memoryOf(spare, 60_000);
  assert.equal(await memoryOf(spare, 65_000), first);
  assert.equal(await memoryOf(spare, 1), first);
  assert.notEqual(await memoryOf(spare, 70_000), first);
});

test('what is lent is nobody else’s', async () => {
  const spare = new SpareMemory();
  await spare.lend(10, async (outer) => {
    assert.notEqual(await memoryOf(spare, 10), outer.buffer);
  });
});

test('what failed with it is not used again', async () => {
  const spare = new SpareMemory();
  let failed: ArrayBufferLike | undefined;
  await assert.rejects(
    spare.lend(10, (bytes) => {
      failed = bytes.buffer;
      return Promise.reject(new Error('no'));
    }),
  );
  assert.notEqual(await memoryOf(spare, 10), failed);
});

test('more than a few MiB are not kept', async () => {
  const spare = new SpareMemory();
  const large = await memoryOf(spare, 9 * MiB);
  assert.notEqual(await memoryOf(spare, 9 * MiB), large);
});
