import { totalOf, type MemoryKinds } from '../measure/memory-kinds.ts';

/** What a run had in memory when that was most. */
export function formatMemory(kinds: MemoryKinds): string {
  const { files, malloc, others } = kinds;
  return (
    `In memory when that was most: ${mib(totalOf(kinds))} MiB, of which pages of Node's program and of libraries ${mib(files)}, malloc ${mib(malloc)}, ` +
    `V8's heaps, stacks and buffers ${mib(others)}.`
  );
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
