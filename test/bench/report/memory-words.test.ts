import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHeaps, formatMemory } from '../../../bench/report/memory-words.ts';

const MiB = 1024 * 1024;

test('the whole comes first, in MiB, and then what it is made of', () => {
  assert.equal(
    formatMemory({ files: 50 * MiB, malloc: 9.4 * MiB, others: 40.2 * MiB }),
    "In memory when that was most: 100 MiB, of which pages of Node's program and of libraries 50, malloc 9, V8's heaps, stacks and buffers 40.",
  );
});

test('of heaps, what is held comes first, and then what is in use', () => {
  const heaps = [
    { held: 30 * MiB, alive: 20 * MiB },
    { held: 12.4 * MiB, alive: 6.4 * MiB },
  ];
  assert.equal(
    formatHeaps(heaps),
    'V8 held 42 MiB for the heaps of 2 threads, of which 26 were in use after the last full collections.',
  );
  assert.match(formatHeaps(heaps.slice(1)), /the heaps of 1 thread, of which 6 were/);
});
