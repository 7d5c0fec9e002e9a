import { readFileSync } from 'node:fs';
import { hasErrno } from '../errors.ts';

/** A process and nobody who gets its number later. */
export interface ServerProcess {
  readonly pid: number;
  /** As the kernel counts it, from the machine's start; an execve does not change it. '' without /proc. */
  readonly startTime: string;
}

/** `PID:START`, for a command line. */
export function formatServerProcess({ pid, startTime }: ServerProcess): string {
  return `${pid}:${startTime}`;
}

export function parseServerProcess(text: string): ServerProcess {
  const [pid = '', startTime = ''] = text.split(':');
  return { pid: Number(pid), startTime };
}

/** Field 22 of /proc/PID/stat, and the state, which is field 3: both counted from behind the command's name. */
const START_TIME = 22 - 3;

export function thisProcess(): ServerProcess {
  return processOf(process.pid);
}

export function processOf(pid: number): ServerProcess {
  return { pid, startTime: statusOf(pid)?.startTime ?? '' };
}

/** A process that has ended and that nobody has asked for its exit code (a zombie) does not run. */
export function isRunning({ pid, startTime }: ServerProcess): boolean {
  const status = startTime === '' ? undefined : statusOf(pid);
  if (status === undefined) return takesSignals(pid);
  return status.startTime === startTime && status.state !== 'Z' && status.state !== 'X';
}

function statusOf(process: number): { readonly state: string; readonly startTime: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${process}/stat`, 'utf8');
    // The command's name is in parentheses, and may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTime: fields[START_TIME] ?? '' };
  } catch {
    return undefined;
  }
}

/** Where /proc is not, or hides a server that has given up its rights from who started it. */
function takesSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return hasErrno(error, 'EPERM');
  }
}
