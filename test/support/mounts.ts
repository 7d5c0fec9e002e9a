import { spawn, spawnSync } from 'node:child_process';
import { finished, environmentFor, PROGRAM, type Finished } from './program.ts';

/** Why a test cannot mount file systems here; false when it can. */
export const NO_MOUNTS =
  spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0
    ? false
    : 'this machine lets nobody mount a file system: it takes root, and unshare';

/**
 * Runs a shell script with mounts of its own, which are gone when it has ended. `$MODEL_CACHE` stands for the program:
 * unquoted, since it is two words.
 */
export function withOwnMounts(script: string, env: Readonly<Record<string, string>>): Promise<Finished> {
  return finished(
    spawn('unshare', ['-m', 'sh', '-ec', script], {
      env: environmentFor({ MODEL_CACHE: `${process.execPath} ${PROGRAM}`, ...env }),
      stdio: 'pipe',
    }),
  );
}
