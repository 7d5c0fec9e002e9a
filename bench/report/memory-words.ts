import type { Heap } from '../measure/heaps.ts';
import { totalOf, type MemoryKinds } from '../measure/memory-kinds.ts';
import { sum } from '../measure/run.ts';

/** What a run had in memory when that was most. */
export function formatMemory(kinds: MemoryKinds): string {
  const { files, malloc, others } = kinds;
  return (
    `In memory when that was most: ${mib(totalOf(kinds))} MiB, of which pages of Node's program and of libraries ${mib(files)}, malloc ${mib(malloc)}, ` +
    `V8's heaps, stacks and buffers ${mib(others)}.`
  );
}

/** What V8 held, and what of it was in use. */
export function formatHeaps(heaps: readonly Heap[]): string {
  const [held, alive] = [sum(heaps.map((heap) => heap.held)), sum(heaps.map((heap) => heap.alive))];
  return (
    `V8 held ${mib(held)} MiB for the heaps of ${heaps.length === 1 ? '1 thread' : `${heaps.length} threads`}, ` +
    `of which ${mib(alive)} were in use after the last full collections.`
  );
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
