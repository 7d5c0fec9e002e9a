import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { countdown } from '../countdown.ts';
import { ModelCacheError } from '../errors.ts';
import type { Environment } from '../settings/raw.ts';

export interface SetupOptions {
  readonly env: Environment;
  /** Milliseconds; 0: as long as it takes. */
  readonly timeout: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/**
 * Runs one `--setup` command in a shell with the server's environment. Its output goes to `onLine`; stdin is empty.
 * Throws `setup-failed` when it fails or takes too long; by then its whole process group has ended.
 */
export async function runSetup(
  command: string,
  { env, timeout, signal, onLine }: SetupOptions,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn('/bin/sh', ['-c', command], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) readLines(stream, onLine);
  let whyEnded: string | undefined;
  const end = (why: string): void => {
    whyEnded ??= why;
    killGroup(child);
  };
  const timer = countdown(timeout, () => end(`not done after ${timeout / 1000} s (--setup-timeout)`));
  const onAbort = (): void => end('interrupted');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const outcome = await ending(child);
    signal.throwIfAborted();
    const failure = whyEnded ?? outcome;
    if (failure !== undefined) {
      throw new ModelCacheError('setup-failed', `${command}: ${failure}`, {
        hint: 'the server is started all the same',
      });
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function readLines(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream }).on('line', (line) => {
    if (line.trim() !== '') onLine(line);
  });
}

/** Undefined for success, else how it ended. Output that is still on its way has been read by then. */
function ending(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => {
      const outcome = code === 0 ? undefined : signal === null ? `exit code ${code}` : `ended by ${signal}`;
      // Something it left in the background may hold its output open for ever.
      const grace = setTimeout(() => resolve(outcome), 500);
      child.once('close', () => {
        clearTimeout(grace);
        resolve(outcome);
      });
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
