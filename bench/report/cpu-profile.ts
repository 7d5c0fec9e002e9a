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

/** Where the time of one thread went. */
export interface ThreadTime {
  readonly thread: string;
  /** Seconds in which it did something, or was not let. */
  readonly busy: number;
  /** Of these, by what was being done, the longest first. */
  readonly by: readonly { readonly what: string; readonly seconds: number }[];
}

/** The built files that a thread begins with, and what it is called. */
const THREADS = {
  'receiver.cjs': 'receives',
  'digester.cjs': 'hashes',
  'part-digester.cjs': 'hashes what is sent',
} as const;

/** As people call it. */
const KNOWN: Readonly<Record<string, string>> = {
  update: 'hash',
  read: 'read from the file',
  writeBuffer: 'write to the file',
  writeLatin1String: 'send a request',
  postMessage: 'tell another thread',
  '(garbage collector)': 'collect garbage',
  '(program)': 'receive, decrypt, wait in the kernel',
};

export function timeOf({ nodes, samples, timeDeltas }: CpuProfile): ThreadTime {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame.functionName]));
  const seconds = new Map<string, number>();
  samples.forEach((id, index) => {
    const name = names.get(id) ?? '';
    const what = KNOWN[name] ?? 'other code';
    if (name !== '(idle)') seconds.set(what, (seconds.get(what) ?? 0) + (timeDeltas[index] ?? 0) / 1e6);
  });
  const by = Array.from(seconds, ([what, time]) => ({ what, seconds: time })).toSorted(
    (a, b) => b.seconds - a.seconds,
  );
  const [thread = 'begins, decides, publishes'] = Object.entries(THREADS).flatMap(([file, name]) =>
    nodes.some(({ callFrame }) => callFrame.url.endsWith(`/${file}`)) ? [name] : [],
  );
  return { thread, busy: by.reduce((sum, { seconds: time }) => sum + time, 0), by };
}

/** A table of threads, the busiest first. */
export function formatThreads(threads: readonly ThreadTime[]): string {
  const lines = threads
    .toSorted((a, b) => b.busy - a.busy)
    .map(({ thread, busy, by }) => {
      const parts = by.slice(0, 4).map(({ what, seconds }) => `${what} ${seconds.toFixed(2)}`);
      return `| ${thread} | ${busy.toFixed(2)} | ${parts.join(', ')} |`;
    });
  return ['| thread | busy s | with what, s |', '|---|---|---|', ...lines].join('\n');
}
