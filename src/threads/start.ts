import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { hasBegun, threadBegins, threadHasBegun } from './frugal.ts';
import type { ThreadData } from './thread-data.ts';

const IS_SOURCE = import.meta.filename.endsWith('.ts');

/**
 * Each is built by itself, as CommonJS: it has to start fast and stay small. `youngMiB` is for what it soon leaves behind;
 * who hashes makes one buffer, and hardly anything else.
 */
const THREADS = {
  receiver: { file: '../wire/receiver-thread', youngMiB: 4 },
  digester: { file: '../cache/digest-thread', youngMiB: 1 },
  'part-digester': { file: '../cache/part-digester-thread', youngMiB: 1 },
} as const;

export type ThreadName = keyof typeof THREADS;

/** No thread can live here: whoever needs one does without. */
export class NoThread extends Error {}

export interface StartedThread {
  /** It keeps nobody waiting until it is referenced. */
  readonly worker: Worker;
  /** All its modules are there. */
  readonly hasBegun: () => boolean;
  /** To be called when it has ended: it will not begin any more. */
  readonly ended: () => void;
}

/** Starts one of the program's threads. Throws NoThread. */
export function startThread(name: ThreadName, data: Omit<ThreadData, 'beginning'>): StartedThread {
  const { file, youngMiB } = THREADS[name];
  const beginning = threadBegins();
  try {
    const { Worker } = process.getBuiltinModule('node:worker_threads');
    // Node looks for it in every thread that begins, which ends when it has been removed.
    process.cwd();
    const worker = new Worker(join(import.meta.dirname, IS_SOURCE ? `${file}.ts` : `${name}.cjs`), {
      // As `top -H` shows it.
      name,
      workerData: { ...data, beginning } satisfies ThreadData,
      // Nothing of the environment is their business.
      env: {},
      // Their own, which nobody reads: else the process's streams would be touched.
      stdout: true,
      stderr: true,
      resourceLimits: { maxYoungGenerationSizeMb: youngMiB },
    });
    worker.unref();
    return { worker, hasBegun: () => hasBegun(beginning), ended: () => threadHasBegun(beginning) };
  } catch (cause) {
    threadHasBegun(beginning);
    throw new NoThread(`no thread can be started: ${(cause as Error).message}`, { cause });
  }
}
