import { lstatSync, statSync, type Stats } from 'node:fs';
import { ModelCacheError } from '../errors.ts';
import { layout } from './layout.ts';
import type { Owner } from './owner.ts';

/** A dir, and who was asked for as the owner of its files. */
export interface OwnPlace {
  readonly dir: string;
  readonly owner?: Owner | undefined;
}

/** Throws `dir-unusable` when our folder in a dir is none, or not ours; and what the disk throws when it is missing. */
export function refuseForeignFolder(dir: string, asked: Owner | undefined): void {
  refuseForeignIn(dir, layout.folder(dir), asked);
}

/**
 * Throws `dir-unusable` when a folder is a link, or when somebody else may have put it into `parent`: it would lead our
 * writes elsewhere, or change what was proved.
 */
export function refuseForeignIn(parent: string, folder: string, asked: Owner | undefined): void {
  refuseForeignDir(parent, asked);
  const found = lstatSync(folder);
  if (found.isSymbolicLink()) throw unusable(folder, 'is a link', 'a folder', 'a link');
  if (!found.isDirectory()) throw unusable(folder, 'is no folder', 'a folder', 'something else');
  const isOthersToWrite = (statSync(parent).mode & 0o022) !== 0;
  if (isOthersToWrite) refuseForeignOwner(folder, found, trustedWith(parent, asked));
}

/** Throws `dir-unusable` when a dir belongs to somebody else. */
export function refuseForeignDir(dir: string, asked: Owner | undefined): void {
  refuseForeignOwner(dir, statSync(dir), trustedWith(dir, asked));
}

/** Root trusts the owner of the dir it is given, and who it was told to give files to. */
function trustedWith(dir: string, asked: Owner | undefined): readonly number[] {
  const me = process.geteuid?.() ?? 0;
  return me === 0 ? [0, statSync(dir).uid, ...(asked === undefined ? [] : [asked.uid])] : [0, me];
}

function refuseForeignOwner(path: string, { uid }: Stats, trusted: readonly number[]): void {
  if (trusted.includes(uid)) return;
  throw unusable(path, 'belongs to someone else', `uid ${trusted.join(' or ')}`, `uid ${uid}`);
}

/** Throws `dir-unusable` for what is written to under its own name: it must be a file, and have no other name. */
export function refuseShared(path: string, stats: Stats): void {
  if (!stats.isFile()) throw unusable(path, 'is no file', 'a file', 'something else');
  if (stats.nlink !== 1) throw unusable(path, 'is not only ours', 'one name', `${stats.nlink} names`);
}

function unusable(folder: string, what: string, wanted: string, found: string): ModelCacheError {
  return new ModelCacheError('dir-unusable', `${folder} ${what}`, {
    wanted,
    found,
    hint: 'remove it if it is not yours',
  });
}
