import { writeSync } from 'node:fs';
import type { DiskSigns } from '../threads/disk-signs.ts';

/** Not the store's fault. */
export class DiskFailed extends Error {}

/** Whoever waits for this thread sees that it is the disk that takes so long. Throws DiskFailed. */
export function atDisk<T>(disk: DiskSigns, act: () => T): T {
  try {
    return disk.during(act);
  } catch (cause) {
    throw new DiskFailed('the disk failed', { cause });
  }
}

export function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;)
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
