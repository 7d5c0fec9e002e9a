import { readFileSync, statfsSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { cgroupFolders, memoryLeft, MEMORY_FILES } from '../model/cgroup-memory.ts';

/** File systems that keep everything in memory. Source: linux/magic.h. */
const [TMPFS, RAMFS] = [0x01021994, 0x858458f6];

/** Bytes that can still be written there; Infinity when the file system does not say. */
export function freeBytes(dir: string): number {
  const { bavail, bsize, blocks, type } = statfsSync(dir);
  const free = blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  return type === TMPFS || type === RAMFS ? Math.min(free, freeMemory()) : free;
}

/** Nothing of it outlives a power cut. */
export function isInMemory(dir: string): boolean {
  const { type } = statfsSync(dir);
  return type === TMPFS || type === RAMFS;
}

/**
 * Bytes that can still be kept in memory, by this machine and by the control groups that this process is in.
 * `process.availableMemory()` takes the page cache for used: a container that has read some files has none left by it.
 */
function freeMemory(): number {
  const folders = cgroupFolders(readOrNothing('/proc/self/cgroup'), readOrNothing('/proc/self/mountinfo'));
  const left = folders.flatMap(({ version, folder }) => {
    const { limits, usage, stat } = MEMORY_FILES[version];
    const read = (name: string): string => readOrNothing(join(folder, name));
    const found = { limits: limits.map(read), usage: read(usage), stat: read(stat) };
    return memoryLeft(version, found, totalmem()) ?? [];
  });
  return left.length === 0 ? process.availableMemory() : Math.min(freemem(), ...left);
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
