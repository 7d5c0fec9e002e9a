import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Seconds, of the kernel's accounts. */
export interface ThreadTimes {
  /** On a processor. */
  readonly running: number;
  /** Ready, while all processors were others'. */
  readonly ready: number;
}

const LOOK_EVERY_MS = 10;
/** As Node calls the one that a process begins with. */
export const FIRST_THREAD = 'MainThread';

/** Follows a process to its end: what threads of each name took, and how many there were. Their last moments are not seen. */
export async function threadTimesOf(
  child: ChildProcess,
): Promise<ReadonlyMap<string, readonly ThreadTimes[]>> {
  const threads = new Map<string, { readonly name: string; readonly times: ThreadTimes }>();
  while (child.exitCode === null && child.signalCode === null) {
    for (const [id, thread] of threadsNow(child.pid ?? 0)) threads.set(id, thread);
    await sleep(LOOK_EVERY_MS);
  }
  const byName = Map.groupBy(threads.values(), ({ name }) => name);
  return new Map(Array.from(byName, ([name, of]) => [name, of.map(({ times }) => times)]));
}

function threadsNow(
  pid: number,
): readonly (readonly [string, { readonly name: string; readonly times: ThreadTimes }])[] {
  const tasks = `/proc/${pid}/task`;
  return ids(tasks).flatMap((id) => {
    try {
      const name = readFileSync(`${tasks}/${id}/comm`, 'utf8').trim();
      // One that begins has no name of its own yet.
      if (name === FIRST_THREAD && id !== String(pid)) return [];
      return [
        [id, { name, times: parseSchedstat(readFileSync(`${tasks}/${id}/schedstat`, 'utf8')) }] as const,
      ];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** Of a /proc/PID/schedstat: nanoseconds on a processor, nanoseconds ready, turns. */
export function parseSchedstat(text: string): ThreadTimes {
  const [running = 0, ready = 0] = text.split(' ').map(Number);
  return { running: running / 1e9, ready: ready / 1e9 };
}

function ids(tasks: string): readonly string[] {
  try {
    return readdirSync(tasks);
  } catch {
    return [];
  }
}
