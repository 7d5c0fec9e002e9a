import { readFileSync } from 'node:fs';

/** Of the kernel's accounts; the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds that processes were given on all processors since the boot, and that a hypervisor gave to others. */
export function busySeconds(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  return busyTicks(line) / TICKS_PER_SECOND;
}

/** Of the first line of /proc/stat. Interrupts are left out: on a loopback they are the traffic that is measured. */
export function busyTicks(line: string): number {
  const [user = 0, nice = 0, system = 0, , , , , steal = 0] = line.trim().split(/\s+/).slice(1).map(Number);
  return user + nice + system + steal;
}

/** Seconds of processes that run, their ended threads included; one that is gone counts as nothing. */
export function processorSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid), 0) / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  try {
    return ownTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return 0;
  }
}

/** utime + stime of a /proc/PID/stat; the program's name before them may hold anything, spaces and brackets too. */
export function ownTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
