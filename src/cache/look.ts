import { lstatSync, readlinkSync, type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../errors.ts';

/** What Node reads in place of bytes that are not UTF-8. */
const REPLACEMENT = '\u{fffd}';

/**
 * Looks at a dir beside a live server: files come and go between two calls, and count for nothing then. What could be
 * part of a model cache and is not taken is kept with its reason. Paths are below the dir.
 */
export class Look {
  readonly dir: string;
  /** Path → why. */
  readonly skipped = new Map<string, string>();

  constructor(dir: string) {
    this.dir = dir;
  }

  skip(path: string, why: string): void {
    this.skipped.set(path, why);
  }

  /** What lies in a folder. `isTold`: that this user may not look into it is. */
  async entries(folder: string, isTold = true): Promise<readonly Dirent[]> {
    try {
      return await readdir(join(this.dir, folder), { withFileTypes: true });
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error;
      if (isTold && hasErrno(error, 'EACCES')) this.#skipUnreadable(folder);
      return [];
    }
  }

  /** What `act` finds out about a path; what this user may not look at is told. */
  at<T>(path: string, act: () => T): T | undefined {
    return this.quietly(() => {
      try {
        return act();
      } catch (error) {
        if (hasErrno(error, 'EACCES')) this.#skipUnreadable(path);
        throw error;
      }
    });
  }

  /** The same, of what nobody has to be told. */
  quietly<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'EINVAL')) return undefined;
      throw error;
    }
  }

  /** Where a link leads to, by its text. */
  targetOf(path: string): string | undefined {
    return this.at(path, () => readlinkSync(`${this.dir}/${path}`));
  }

  isFolder(path: string): boolean {
    return this.at(path, () => lstatSync(join(this.dir, path)).isDirectory()) === true;
  }

  /** Whether a path as Node reads it leads to nothing. */
  hasNoText(path: string): boolean {
    if (!path.includes(REPLACEMENT)) return false;
    return this.quietly(() => lstatSync(join(this.dir, path))) === undefined;
  }

  #skipUnreadable(path: string): void {
    this.skip(path === '' ? '.' : path, 'this user may not read it');
  }
}
