import { writeSync } from 'node:fs';
import { hasErrno } from './errors.ts';

const PAUSE_MS = 10;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of a text to a descriptor: a full one is waited for. A closed one is not worth an error: nobody is reading. */
export function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if (!hasErrno(error, 'EAGAIN')) return;
      Atomics.wait(NEVER, 0, 0, PAUSE_MS);
    }
  }
}
