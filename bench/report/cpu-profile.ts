import { FIRST_THREAD } from '../measure/thread-times.ts';

/** What `node --cpu-prof` writes down of one thread, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  /** The node of each sample. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** What one thread was busy with. */
export interface ThreadProfile {
  /** As the kernel has it. */
  readonly thread: string;
  /** Seconds, the longest first. */
  readonly by: readonly { readonly what: string; readonly seconds: number }[];
}

/** Names of threads that are ours; each begins in a built file of its name. */
const OWN_THREADS = ['receiver', 'digester', 'part-digester'];

/** As people call it. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  ['update', 'hash'],
  ['read', 'read from the file'],
  ['writeBuffer', 'write to the file'],
  ['writeLatin1String', 'send a request'],
  ['postMessage', 'tell another thread'],
  ['(garbage collector)', 'collect garbage'],
  ['(program)', 'receive, decrypt, wait in the kernel'],
]);

export function profileOf({ nodes, samples, timeDeltas }: CpuProfile): ThreadProfile {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame.functionName]));
  const seconds = new Map<string, number>();
  samples.forEach((id, index) => {
    const name = names.get(id) ?? '';
    const what = KNOWN.get(name) ?? 'other code';
    if (name !== '(idle)') seconds.set(what, (seconds.get(what) ?? 0) + (timeDeltas[index] ?? 0) / 1e6);
  });
  const by = Array.from(seconds, ([what, time]) => ({ what, seconds: time }));
  const isBegunIn = (thread: string): boolean =>
    nodes.some(({ callFrame }) => callFrame.url.endsWith(`/${thread}.cjs`));
  return {
    thread: OWN_THREADS.find(isBegunIn) ?? FIRST_THREAD,
    by: by.toSorted((a, b) => b.seconds - a.seconds),
  };
}
