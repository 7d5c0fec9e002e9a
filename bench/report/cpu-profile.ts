import { FIRST_THREAD } from '../measure/thread-times.ts';

/** What `node --cpu-prof` writes down of one thread, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  /** The node of each sample. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** Where a function begins. Line and column count from 0. */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
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

/** Node's functions, native ones most of them, as people call what they do. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  ['read', 'read from the file'],
  ['writeBuffer', 'write to the file'],
  ['writeLatin1String', 'send a request'],
  ['postMessage', 'tell another thread'],
  ['(garbage collector)', 'collect garbage'],
  ['(program)', 'receive, decrypt, wait in the kernel'],
  ...['wrapSafe', 'compileForInternalLoader', 'internalBinding'].map((name) => [name, 'load code'] as const),
  ...['lstat', 'readlink', 'readdir'].map((name) => [name, 'look at files'] as const),
]);
/** Of hashes, Node's or an addon's, whose time counts as that of the function of ours that calls it. */
const HASHES = 'update';
const OWN_FOLDER = /^\.\.\/src\/([\w-]+)\//;

/** `sourceOf` says of which source file a function of a built one is; undefined: nothing is known of it. */
export function profileOf(
  { nodes, samples, timeDeltas }: CpuProfile,
  sourceOf: (frame: CallFrame) => string | undefined,
): ThreadProfile {
  const doing = new Map(nodes.map(({ id, callFrame }) => [id, whatDoes(callFrame, sourceOf)]));
  const seconds = new Map<string, number>();
  samples.forEach((id, index) => {
    const what = doing.get(id);
    if (what !== undefined) seconds.set(what, (seconds.get(what) ?? 0) + (timeDeltas[index] ?? 0) / 1e6);
  });
  const by = Array.from(seconds, ([what, time]) => ({ what, seconds: time }));
  const isBegunIn = (thread: string): boolean =>
    nodes.some(({ callFrame }) => callFrame.url.endsWith(`/${thread}.cjs`));
  return {
    thread: OWN_THREADS.find(isBegunIn) ?? FIRST_THREAD,
    by: by.toSorted((a, b) => b.seconds - a.seconds),
  };
}

/** Undefined: nothing. */
function whatDoes(frame: CallFrame, sourceOf: (frame: CallFrame) => string | undefined): string | undefined {
  const { functionName, url } = frame;
  if (functionName === '(idle)') return undefined;
  if (functionName === HASHES) return 'hash';
  const isNodes = url === '' || url.startsWith('node:');
  if (isNodes) return KNOWN.get(functionName) ?? (url === '' ? "Node's native code" : "Node's own code");
  const source = sourceOf(frame);
  if (source === undefined) return 'other code';
  const folder = OWN_FOLDER.exec(source)?.[1];
  return folder === undefined ? 'other code' : `${folder}/`;
}
