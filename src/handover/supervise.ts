import { spawn, type ChildProcess } from 'node:child_process';
import type { Environment } from '../settings/raw.ts';
import type { Program } from './program.ts';
import { processOf, type ServerProcess } from './server-process.ts';
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

const STOPPING = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;

/** Who works beside a server that this process stays in front of, and may go on for a while when it has ended. */
export interface Companion {
  /** Never rejects. */
  run(): Promise<void>;
  /** Asks it to end now. */
  stop(): void;
}

/**
 * Runs the server as a child with our own streams, passes signals on, and ends with the server's exit code: when the
 * server has ended, and its companion too. From the server's end on, a stop signal is for the companion.
 */
export async function supervise(
  { path, argv: [name, ...args] }: Program,
  env: Environment,
  watch: SignalWatch,
  beside?: (server: ServerProcess) => Companion,
): Promise<number> {
  const caught = await watch.caught();
  if (caught !== undefined) return exitCodeOf(caught);
  let server: ChildProcess | undefined;
  const forward = (signal: NodeJS.Signals): void => void server?.kill(signal);
  // Before the server is there: what comes in between must neither end us nor be lost to it.
  for (const signal of FORWARDED) process.on(signal, forward);
  server = spawn(path, args, { stdio: 'inherit', env, ...(name === undefined ? {} : { argv0: name }) });
  const ended = endOf(server);
  watch.release();
  const companion = server.pid === undefined ? undefined : beside?.(processOf(server.pid));
  const accompanied = companion?.run();
  const stop = (): void => companion?.stop();
  try {
    const exitCode = await ended;
    for (const signal of STOPPING) process.on(signal, stop);
    await accompanied;
    return exitCode;
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
    for (const signal of STOPPING) process.off(signal, stop);
  }
}

function endOf(server: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code, signal) => resolve(signal === null ? (code ?? 0) : exitCodeOf(signal)));
  });
}
