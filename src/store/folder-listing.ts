import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../errors.ts';
import { isSafePath } from '../model/paths.ts';
import { folderError } from './folder-errors.ts';
import { LISTING_LIMITS, tooManyObjects } from './whole-listing.ts';

/** What is written begins here, and is renamed into place when whole. Not part of any listing. */
export const UNFINISHED = '.model-cache/tmp';

const ENTRIES_AT_ONCE = 1000;

/** The keys of a folder store below `folder`, which is empty or ends in a slash; `onEntry` is called for all that is looked at. */
export async function* keysBelow(root: string, folder: string, onEntry: () => void): AsyncGenerator<string> {
  let seen = 0;
  yield* below(root, folder, () => {
    seen += 1;
    if (seen > LISTING_LIMITS.objects) throw tooManyObjects(`file://${root}`);
    onEntry();
  });
}

async function* below(root: string, folder: string, onEntry: () => void): AsyncGenerator<string> {
  if (`${UNFINISHED}/` === folder) return;
  for await (const entry of entriesOf(root, folder)) {
    onEntry();
    const path = `${folder}${entry.name}`;
    if (!isSafePath(path)) continue;
    if (entry.isDirectory()) yield* below(root, `${path}/`, onEntry);
    else if (entry.isFile()) yield path;
  }
}

async function* entriesOf(root: string, folder: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(join(root, folder), { bufferSize: ENTRIES_AT_ONCE });
  } catch (error) {
    const isRoot = folder === '';
    if (hasErrno(error, 'ENOENT') || (hasErrno(error, 'ENOTDIR') && !isRoot)) return;
    throw folderError(error, `file://${root}`);
  }
}
