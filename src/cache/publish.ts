import { randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { explain, hasErrno, ModelCacheError } from '../errors.ts';
import { identityOf } from './digest.ts';
import { layout } from './layout.ts';
import { giveTo, type Owner } from './owner.ts';

/**
 * Gives final names to what was proved. Every name appears by one rename, over whatever was there; a link on the way
 * to it is refused, so that nothing is ever written outside the dir.
 */
export class Publisher {
  readonly #dir: string;
  readonly #owner: Owner | undefined;
  readonly #realFolders = new Set<string>();
  readonly #writableFolders = new Set<string>();

  constructor(dir: string, owner: Owner | undefined) {
    this.#dir = dir;
    this.#owner = owner;
  }

  /**
   * Throws `path-unsafe` when nothing can be published in this path's folder: better known before its bytes are fetched.
   * A folder that could be written to once is not asked again.
   */
  prepare(path: string): void {
    const folder = dirname(path);
    if (this.#writableFolders.has(folder)) return;
    aboutPath(path, () => {
      this.#ensureFolder(folder);
      accessSync(join(this.#dir, folder), constants.W_OK | constants.X_OK);
    });
    this.#writableFolders.add(folder);
  }

  /** Paths are relative to the dir. Returns the published file's identity. Throws ENOENT where what was staged is gone. */
  publishFile(stagedPath: string, path: string): string {
    return this.#twice(path, () => {
      const final = this.#finalPath(path);
      giveTo(this.#owner, stagedPath);
      renameOver(stagedPath, final);
      return identityOf(lstatSync(final, { bigint: true }));
    }, []);
  }

  publishLink(path: string, target: string): void {
    this.#twice(path, () => {
      const final = this.#finalPath(path);
      try {
        symlinkSync(target, final);
        giveTo(this.#owner, final);
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
        if (!isLinkTo(final, target)) this.#replace(final, (staged) => symlinkSync(target, staged));
      }
    });
  }

  /** A ref's content, byte for byte. */
  publishRef(path: string, content: string): void {
    this.#twice(path, () =>
      this.#replace(this.#finalPath(path), (staged) => writeFileSync(staged, content, { flag: 'wx' })),
    );
  }

  /** Where a folder has been removed since, it is made anew. `last` are codes of the second try that are about the path, too. */
  #twice<T>(path: string, publish: () => T, last: readonly string[] = ['ENOENT']): T {
    try {
      return aboutPath(path, publish);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      this.#realFolders.clear();
      return aboutPath(path, publish, last);
    }
  }

  #replace(final: string, create: (staged: string) => void): void {
    const staged = join(layout.partial(this.#dir), randomUUID());
    try {
      create(staged);
      giveTo(this.#owner, staged);
      renameOver(staged, final);
    } finally {
      rmSync(staged, { force: true });
    }
  }

  #finalPath(path: string): string {
    this.#ensureFolder(dirname(path));
    return `${this.#dir}/${path}`;
  }

  #ensureFolder(path: string): void {
    if (path === '.' || this.#realFolders.has(path)) return;
    this.#ensureFolder(dirname(path));
    const folder = join(this.#dir, path);
    try {
      mkdirSync(folder);
      giveTo(this.#owner, folder);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      if (!lstatSync(folder).isDirectory()) throw notAFolder(folder);
    }
    this.#realFolders.add(path);
  }
}

/**
 * What a disk answers where this user may not write, or a name cannot be: the dir itself was tried, so it is about this
 * path, and the others are restored all the same.
 */
const ABOUT_PATH = ['EACCES', 'EPERM', 'ENAMETOOLONG', 'EINVAL', 'EILSEQ', 'ENOTDIR', 'ELOOP'];

function aboutPath<T>(path: string, publish: () => T, also: readonly string[] = []): T {
  try {
    return publish();
  } catch (error) {
    if (!hasErrno(error, ...ABOUT_PATH, ...also)) throw error;
    throw new ModelCacheError('path-unsafe', `nothing can be written to ${path}: ${explain(error)}`, {
      cause: error,
    });
  }
}

/** Over a file or a link; a folder that stands in the way is somebody's, and stays. */
function renameOver(staged: string, final: string): void {
  try {
    renameSync(staged, final);
  } catch (error) {
    if (!hasErrno(error, 'EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST')) throw error;
    throw new ModelCacheError('path-unsafe', `${final} is in the way`, {
      wanted: 'a file or nothing',
      found: 'a folder',
      hint: 'remove it if it is not yours',
      cause: error,
    });
  }
}

function isLinkTo(path: string, target: string): boolean {
  return lstatSync(path).isSymbolicLink() && readlinkSync(path) === target;
}

function notAFolder(path: string): ModelCacheError {
  return new ModelCacheError('path-unsafe', `${path} is no folder, so nothing is written below it`, {
    wanted: 'a folder',
    found: 'a file or a link',
    hint: 'remove it if it is not yours',
  });
}
