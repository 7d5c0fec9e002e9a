import { ownDiskSigns, serve } from '../../src/threads/serve.ts';

const disk = ownDiskSigns();
const stops = new Map<number, () => void>();

/** Does what it is told to: says numbers, fails, waits for a stop, stays at the disk. */
serve<{ readonly say: number; readonly last: string }, number, string, string>({
  go: async ({ say, last }, id, said) => {
    for (let number = 1; number <= say; number += 1) said(number);
    if (last === 'fail') throw new Error('as told');
    if (last === 'wait') await new Promise<void>((stop) => stops.set(id, stop));
    if (last === 'disk') disk.during(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300));
    return last;
  },
  stop: (id) => stops.get(id)?.(),
  failureOf: (error) => (error as Error).message,
});
