import { setImmediate as nextTurn } from 'node:timers/promises';

const SLICE_MS = 20;

/**
 * Lets timers and signals run between many short synchronous file calls: call it once an item, and it gives way to
 * the event loop every 20 ms. In between there is nothing to wait for: undefined.
 */
export function createPace(): () => Promise<void> | undefined {
  let sliceEnd = now() + SLICE_MS;
  const giveWay = async (): Promise<void> => {
    await nextTurn();
    sliceEnd = now() + SLICE_MS;
  };
  return () => (now() < sliceEnd ? undefined : giveWay());
}

/** As `performance.now()`, without loading it: the write-back has to stay small. */
function now(): number {
  return process.uptime() * 1000;
}
