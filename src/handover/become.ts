import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Environment } from '../settings/raw.ts';
import type { Program } from './program.ts';
import { exitCodeOf, type SignalWatch } from './signals.ts';
import { supervise } from './supervise.ts';

/**
 * Turns this process into the server: same PID, same standard streams, exactly `env`. Comes back only with an exit
 * code: when a stop signal came first, or where Node cannot exec and the server ran as a child instead.
 *
 * The last steps, in an order that loses no signal:
 * 1. everything slow is done before;
 * 2. the event loop turns once, so that signals the kernel has delivered are seen: if one was, the server never starts;
 * 3. in that same turn our handlers go, so that from here on a signal ends the process as it would end the server;
 * 4. what came between the two is looked for where libuv has left it.
 *
 * What is left is libuv's own: for the microseconds in which it takes a handler away, it gives a signal to another thread,
 * which may find no handler any more, and drop it.
 */
export async function becomeServer(program: Program, env: Environment, watch: SignalWatch): Promise<number> {
  if (typeof process.execve !== 'function') return supervise(program, env, watch);
  const { path, argv } = withDefaultSignals(program);
  const exact = definedOnly(env);
  const caught = await watch.releaseUnlessCaught();
  if (caught !== undefined) return exitCodeOf(caught);
  try {
    return process.execve(path, [...argv], exact);
  } catch {
    // What Node itself will not pass on to execve, spawn may still take.
    return supervise(program, env, watch);
  }
}

/**
 * Node ignores SIGPIPE and SIGXFSZ, and a program inherits that. coreutils' env sets both back before it becomes the
 * program; where env cannot, the server inherits them ignored (docs/operations.md).
 */
function withDefaultSignals(program: Program): Program {
  const env = ['/usr/bin/env', '/bin/env'].find((path) => existsSync(path));
  const reset = '--default-signal=PIPE,XFSZ';
  const [typed = '', ...args] = program.argv;
  // A file without an interpreter of its own is run by /bin/sh, which nobody typed.
  const name = program.path === '/bin/sh' ? program.path : typed;
  // To env, a command with `=` in its name is an assignment.
  if (env === undefined || name.includes('=')) return program;
  if (spawnSync(env, [reset, '--', env, '--version'], { stdio: 'ignore' }).status !== 0) return program;
  return { path: env, argv: ['env', reset, '--', name, ...args] };
}

function definedOnly(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
