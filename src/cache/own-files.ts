import { mkdirSync } from 'node:fs';
import { hasErrno } from '../errors.ts';
import { replaceFile } from '../files.ts';
import { layout } from './layout.ts';
import { refuseForeignDir, refuseForeignFolder } from './own-folder.ts';
import { giveTo, ownerFor, type Owner } from './owner.ts';

/**
 * Writes a file into our folder of a dir that may never have been probed: the folder is made if it is missing; one that
 * is a link, or somebody else's, is refused. `asked` is the owner that was asked for.
 */
export function writeOwnFile(dir: string, path: string, content: string, asked: Owner | undefined): void {
  makeOwnFolder(dir, asked);
  replaceFile(path, content, { owner: ownerFor(dir, asked) });
}

/** The same for what is believed when it is read again: for this user alone. */
export function writePrivateFile(dir: string, path: string, content: string, asked: Owner | undefined): void {
  makeOwnFolder(dir, asked);
  replaceFile(path, content, { mode: 0o600 });
}

function makeOwnFolder(dir: string, asked: Owner | undefined): void {
  refuseForeignDir(dir, asked);
  const folder = layout.folder(dir);
  try {
    mkdirSync(folder);
    giveTo(ownerFor(dir, asked), folder);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
  refuseForeignFolder(dir, asked);
}
