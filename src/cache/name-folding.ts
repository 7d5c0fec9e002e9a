import { randomUUID } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../errors.ts';
import type { NameFolding } from '../model/name-folding.ts';

/** Which names the file system of a folder takes for one, found out by making files in it. */
export function probeNameFolding(folder: string): NameFolding {
  const name = `probe.${randomUUID()}`;
  return {
    ofCase: isMetAs(folder, name, name.toUpperCase()),
    ofForm: isMetAs(folder, `${name}.\u00e9`, `${name}.e\u0301`),
  };
}

/** Where the name cannot be, it meets no other. */
function isMetAs(folder: string, name: string, other: string): boolean {
  const path = join(folder, name);
  try {
    writeFileSync(path, '', { flag: 'wx' });
    return existsSync(join(folder, other));
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'EILSEQ')) return false;
    throw error;
  } finally {
    rmSync(path, { force: true });
  }
}
