import { existsSync } from 'node:fs';
import { isAnyThreadAtDisk } from '../threads/disk-signs.ts';

const SHELL = '/bin/sh';

/** Calls of libuv's threads, for which the end of a process waits: files on a disk that hangs, names that nobody resolves. */
const IN_A_THREAD = /^(FSReq|GetAddrInfo|GetNameInfo)/;

/**
 * Ends this process with an exit code where a thread of it hangs in the kernel: its own end would wait for that thread,
 * an exec does not. Comes back when nothing hangs.
 */
export function leaveHungThreads(exitCode: number): void {
  const isWaiting =
    isAnyThreadAtDisk() || process.getActiveResourcesInfo().some((name) => IN_A_THREAD.test(name));
  if (isWaiting && typeof process.execve === 'function' && existsSync(SHELL))
    process.execve(SHELL, ['sh', '-c', `exit ${exitCode}`], {});
}
