import { writeSync } from 'node:fs';
import { hasErrno } from './errors.ts';

/** Writes all of a text to a descriptor, at once. A full or closed one is not worth an error: nobody is reading. */
export function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if (!hasErrno(error, 'EAGAIN')) return;
    }
  }
}
