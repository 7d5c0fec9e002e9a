import { setImmediate as nextTurn } from 'node:timers/promises';

const SLICE_MS = 20;

/**
 * Lets timers and signals run between many short synchronous file calls: call it once an item, and it gives way to
 * the event loop every 20 ms.
 */
export function createPace(): () => Promise<void> {
  let sliceEnd = performance.now() + SLICE_MS;
  return async () => {
    if (performance.now() < sliceEnd) return;
    await nextTurn();
    sliceEnd = performance.now() + SLICE_MS;
  };
}
