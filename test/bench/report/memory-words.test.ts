import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMemory } from '../../../bench/report/memory-words.ts';

test('the whole comes first, in MiB, and then what it is made of', () => {
  const MiB = 1024 * 1024;
  assert.equal(
    formatMemory({ files: 50 * MiB, malloc: 9.4 * MiB, others: 40.2 * MiB }),
    "In memory when that was most: 100 MiB, of which pages of Node's program and of libraries 50, malloc 9, V8's heaps, stacks and buffers 40.",
  );
});
