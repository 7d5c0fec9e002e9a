import { ownDiskSigns, serve } from '../../src/threads/serve.ts';

const disk = ownDiskSigns();
const stops = new Map<number, () => void>();
const replies = new Map<number, (reply: string) => void>();

/** Does what it is told to: says numbers, fails, waits for a stop or a reply, stays at the disk. */
serve<{ readonly say: number; readonly last: string }, number, string, string, string>({
  go: async ({ say: count, last }, id, { say, saySoon }) => {
    for (let number = 1; number <= count; number += 1) (number % 2 === 1 ? saySoon : say)(number);
    if (last === 'fail') throw new Error('as told');
    if (last === 'wait') await new Promise<void>((stop) => stops.set(id, stop));
    if (last === 'disk') disk.during(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300));
    if (last === 'hear') return new Promise<string>((hear) => replies.set(id, hear));
    return last;
  },
  hear: (id, reply) => replies.get(id)?.(reply),
  stop: (id) => stops.get(id)?.(),
  failureOf: (error) => (error as Error).message,
});
