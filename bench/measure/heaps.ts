import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const WATCH = join(import.meta.dirname, 'heap-watch.cjs');

/** The JavaScript heap of one thread, in bytes. */
export interface Heap {
  /** What V8 has in memory for it, when that was most. */
  readonly held: number;
  /** Of it in use after the last full collection; where there was none, at the end. */
  readonly alive: number;
}

/** What Node is given so that the heaps of its threads can be read from `folder` afterwards. */
export function watchingHeaps(folder: string): readonly string[] {
  const watch = join(folder, 'heap-watch.cjs');
  copyFileSync(WATCH, watch);
  return [`--require=${watch}`];
}

/** Of each thread that has been. */
export function heapsIn(folder: string): readonly Heap[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Heap);
}
