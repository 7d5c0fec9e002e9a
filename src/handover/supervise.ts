import { spawn, type ChildProcess } from 'node:child_process';
import type { Environment } from '../settings/raw.ts';
import type { Program } from './program.ts';
import { exitCodeOf, type SignalWatch } from './signals.ts';

/** What a terminal or a container runtime may send to a server that it believes to be us. */
const FORWARDED = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
  'SIGCONT',
] as const;

/** Runs the server as a child with our own streams, passes signals on, and ends with the server's exit code. */
export async function supervise(
  { path, argv: [name, ...args] }: Program,
  env: Environment,
  watch: SignalWatch,
): Promise<number> {
  const caught = await watch.caught();
  if (caught !== undefined) return exitCodeOf(caught);
  let server: ChildProcess | undefined;
  const forward = (signal: NodeJS.Signals): void => void server?.kill(signal);
  // Before the server is there: what comes in between must neither end us nor be lost to it.
  for (const signal of FORWARDED) process.on(signal, forward);
  server = spawn(path, args, { stdio: 'inherit', env, ...(name === undefined ? {} : { argv0: name }) });
  const running = server;
  watch.release();
  try {
    return await new Promise((resolve, reject) => {
      running.once('error', reject);
      running.once('exit', (code, signal) => resolve(signal === null ? (code ?? 0) : exitCodeOf(signal)));
    });
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}
