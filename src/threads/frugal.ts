/**
 * Before 13, V8 does not find its usual flags again after `--no-turbofan` and `--turbofan`. And under `--jitless`, where
 * there is no WebAssembly either, nothing may be switched on.
 */
const MAY_LEAVE_OUT_COMPILERS = Number.parseInt(process.versions.v8) >= 13 && 'WebAssembly' in globalThis;

/**
 * By V8's flags. Left to itself, the heap grows to twice what it holds before it is collected, and its young generation to
 * 48 MiB. What many small files leave behind is collected sooner, at no cost that could be measured (npm run bench -- --only
 * growth). And what runs some hundred times is compiled anew by compilers that take a processor and memory of their own:
 * a start is over before that pays, and what takes long here, later too, is done by Node's native code. Only what runs for
 * each of many files is compiled so.
 */
const FRUGAL = [
  '--semi-space-growth-factor=1',
  '--heap-growing-percent=10',
  '--no-parallel-scavenge',
  ...(MAY_LEAVE_OUT_COMPILERS ? ['--no-turbofan', '--invocation-count-for-maglev=5000'] : []),
];
/** As Node begins with them (`node --v8-options`). Others would only make threads begin later: a test holds them to it. */
const USUAL = [
  '--semi-space-growth-factor=2',
  '--heap-growing-percent=0',
  '--parallel-scavenge',
  ...(MAY_LEAVE_OUT_COMPILERS ? ['--turbofan', '--invocation-count-for-maglev=400'] : []),
];

/** How many threads are beginning: what all threads of a process share to know it. Undefined while nobody is frugal. */
let beginning: SharedArrayBuffer | undefined;
let lastBeganAt = -Infinity;

/** Of one thread. It crosses to that. */
export interface Beginning {
  readonly all: SharedArrayBuffer | undefined;
  /** Whether it is over. */
  readonly isOver: SharedArrayBuffer;
}

/** From now on, for all threads of this process. */
export function beFrugal(): void {
  beginning ??= new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  change(beginning, 0);
}

/**
 * A thread is about to begin. While V8's flags are others than usual, it takes nothing of what Node has compiled
 * beforehand, and each thread would compile all of Node's own modules anew. What this returns is for `threadHasBegun`.
 */
export function threadBegins(): Beginning {
  lastBeganAt = performance.now();
  if (beginning !== undefined) change(beginning, 1);
  return { all: beginning, isOver: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT) };
}

/** A thread begins within some tens of milliseconds; one that hangs keeps nobody waiting again and again. */
const BEGINS_WITHIN_MS = 200;
const LOOK_EVERY_MS = 2;

/**
 * Resolves when no thread is beginning any more, or one takes very long to: for what is about to run thousands of times.
 * Under the usual flags V8 would give it to its largest compiler, which takes 5 MiB of memory and more.
 */
export async function threadsHaveBegun(): Promise<void> {
  while (isAnyBeginning() && performance.now() < lastBeganAt + BEGINS_WITHIN_MS)
    await new Promise((looked) => setTimeout(looked, LOOK_EVERY_MS));
}

/** For a module of Node's that is loaded later: it is taken as Node has compiled it, too. */
export function loadLater<T>(load: () => T): T {
  const begun = threadBegins();
  try {
    return load();
  } finally {
    threadHasBegun(begun);
  }
}

/**
 * By the thread itself, with all its modules: the one that has started it may be busy, and its heap would grow. By that
 * one, too, when it has ended, wherever it was: only the first time counts.
 */
export function threadHasBegun({ all, isOver }: Beginning): void {
  if (Atomics.exchange(new Int32Array(isOver), 0, 1) === 0 && all !== undefined) change(all, -1);
}

export function hasBegun({ isOver }: Beginning): boolean {
  return Atomics.load(new Int32Array(isOver), 0) === 1;
}

/**
 * So many more are beginning, or fewer, and the flags are as that wants it. All threads have the same flags: one that ends
 * its beginning may still be setting them when the next begins, so whoever has set them looks whether they are still right.
 */
function change(shared: SharedArrayBuffer, by: number): void {
  const count = new Int32Array(shared);
  Atomics.add(count, 0, by);
  let wanted: readonly string[] | undefined;
  while (wanted !== flagsFor(count)) {
    wanted = flagsFor(count);
    setFlags(wanted);
  }
}

function isAnyBeginning(): boolean {
  return beginning !== undefined && Atomics.load(new Int32Array(beginning), 0) > 0;
}

function flagsFor(count: Int32Array): readonly string[] {
  return Atomics.load(count, 0) === 0 ? FRUGAL : USUAL;
}

function setFlags(flags: readonly string[]): void {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  for (const flag of flags) setFlagsFromString(flag);
}
