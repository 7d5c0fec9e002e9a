import { existsSync } from 'node:fs';
import { FLOCK_PLACES } from '../cache/flock.ts';
import { findProgram } from '../handover/program.ts';
import type { Context } from './context.ts';
import { reachablePath } from './reachable.ts';

/** Says once what cannot be done in the place that this runs in. Nothing of it keeps a server from starting. */
export function tellPlace(context: Pick<Context, 'env' | 'log' | 'unreachable'>): void {
  const { log } = context;
  if (!existsSync('/proc/self/mountinfo')) {
    log.warn(
      'environment',
      'there is no /proc: network volumes that stop answering are not noticed, and small files are hashed again by the next start; mount it',
    );
  }
  const hasFlock = FLOCK_PLACES.some((place) => isProgram(place, undefined));
  if (!hasFlock && !isProgram('flock', reachablePath(context))) {
    log.info(
      'environment',
      'there is no flock in PATH: large files of a start that is killed are begun anew, and nothing keeps two write-backs from one dir; install util-linux',
    );
  }
}

function isProgram(name: string, path: string | undefined): boolean {
  try {
    findProgram([name], path);
    return true;
  } catch {
    return false;
  }
}
