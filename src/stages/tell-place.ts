import { existsSync } from 'node:fs';
import { FLOCK_PLACES } from '../cache/flock.ts';
import { findProgram } from '../handover/program.ts';
import type { Context } from './context.ts';

/** Says once what cannot be done in the place that this runs in. Nothing of it keeps a server from starting. */
export function tellPlace({ env, log, unreachable }: Pick<Context, 'env' | 'log' | 'unreachable'>): void {
  if (!existsSync('/proc/self/mountinfo')) {
    log.warn(
      'environment',
      'there is no /proc: network volumes that stop answering are not noticed, and small files are hashed again by the next start; mount it',
    );
  }
  const hasFlock = [...FLOCK_PLACES, 'flock'].some((name) => isProgram(name, env['PATH'], unreachable));
  if (!hasFlock) {
    log.info(
      'environment',
      'there is no flock in PATH: large files of a start that is killed are begun anew, and nothing keeps two write-backs from one dir; install util-linux',
    );
  }
}

function isProgram(name: string, path: string | undefined, unreachable: Context['unreachable']): boolean {
  try {
    findProgram([name], path, (folder) => !unreachable.has(folder));
    return true;
  } catch {
    return false;
  }
}
