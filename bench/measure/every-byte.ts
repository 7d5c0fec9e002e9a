import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSet } from '../data-sets.ts';

const BLOCK = Buffer.alloc(4 * 1024 * 1024);

/** Throws unless each file of the set is below `hub`, with every byte of it, and no more. */
export function checkEveryByte(hub: string, { files }: DataSet): void {
  for (const [path, wanted] of files) {
    const found = sha256Of(join(hub, path));
    if (found.sha256 !== wanted.sha256)
      throw new Error(
        `wrong bytes: wanted ${wanted.size} with SHA-256 ${wanted.sha256} in ${path}, ` +
          `found ${found.size} with ${found.sha256}`,
      );
  }
}

function sha256Of(path: string): { readonly size: number; readonly sha256: string } {
  const fd = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    for (let count = -1; count !== 0;) {
      count = readSync(fd, BLOCK);
      hash.update(BLOCK.subarray(0, count));
    }
    return { size: fstatSync(fd).size, sha256: hash.digest('hex') };
  } finally {
    closeSync(fd);
  }
}
