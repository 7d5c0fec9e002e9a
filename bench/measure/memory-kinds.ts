import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a process has in memory, in bytes. */
export interface MemoryKinds {
  /** Pages of programs and libraries. */
  readonly files: number;
  /** What C code has asked for, and what it has given back and the library keeps. */
  readonly malloc: number;
  /** V8's heaps, the code that it makes, stacks, buffers. */
  readonly others: number;
}

const LOOK_EVERY_MS = 20;
/** A mapping as /proc/PID/smaps begins it: addresses, rights, place in a file, device, inode, name. */
const MAPPING = /^([0-9a-f]+)-[0-9a-f]+ (\S+) \S+ \S+ \S+ *(.*)$/;
const RESIDENT = /^Rss: +(\d+) kB$/;
/** Every thread's arena begins at a multiple of it (glibc, HEAP_MAX_SIZE). */
const ARENA_BYTES = 64n * 1024n * 1024n;

/** Follows a process to its end: what it had in memory when that was most. */
export async function mostMemoryOf(child: ChildProcess): Promise<MemoryKinds> {
  let most: MemoryKinds = { files: 0, malloc: 0, others: 0 };
  while (child.exitCode === null && child.signalCode === null) {
    const now = kindsNow(child.pid ?? 0);
    if (now !== undefined && totalOf(now) > totalOf(most)) most = now;
    await sleep(LOOK_EVERY_MS);
  }
  return most;
}

export function totalOf({ files, malloc, others }: MemoryKinds): number {
  return files + malloc + others;
}

/** Of the text of /proc/PID/smaps. */
export function parseSmaps(text: string): MemoryKinds {
  const kinds = { files: 0, malloc: 0, others: 0 };
  let kind: keyof MemoryKinds = 'others';
  for (const line of text.split('\n')) {
    const [, start, rights = '', name = ''] = MAPPING.exec(line) ?? [];
    if (start !== undefined) kind = kindOf(BigInt(`0x${start}`), rights, name);
    kinds[kind] += Number(RESIDENT.exec(line)?.[1] ?? 0) * 1024;
  }
  return kinds;
}

function kindOf(start: bigint, rights: string, name: string): keyof MemoryKinds {
  if (name.startsWith('/')) return 'files';
  const isArena = name === '' && rights === 'rw-p' && start % ARENA_BYTES === 0n;
  return name === '[heap]' || isArena ? 'malloc' : 'others';
}

/** Undefined when it has ended meanwhile. */
function kindsNow(pid: number): MemoryKinds | undefined {
  try {
    return parseSmaps(readFileSync(`/proc/${pid}/smaps`, 'utf8'));
  } catch {
    return undefined;
  }
}
