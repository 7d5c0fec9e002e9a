import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { ServerProcess } from '../../src/handover/server-process.ts';

export function serverOf({ pid = 0 }: ChildProcess): ServerProcess {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '');
  return { pid, startTime: stat.split(' ')[19] ?? '' };
}
