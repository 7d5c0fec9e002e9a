import { hasErrno, ModelCacheError, toModelCacheError } from '../errors.ts';

export function notAFolder(path: string): ModelCacheError {
  return new ModelCacheError('store-failed', `${path} is no folder, so nothing is written below it`, {
    wanted: 'a folder',
    found: 'a file or a link',
    hint: 'remove it if it is not yours',
  });
}

export function missing(key: string, url: string): ModelCacheError {
  return new ModelCacheError('object-missing', `${url} has no object ${key}`);
}

export function changed(key: string, wanted: string, found: string): ModelCacheError {
  return new ModelCacheError('object-changed', `${key} was replaced while it was read`, { wanted, found });
}

/** What a disk answers of one object, which others need not have: too large a file, too long a name. */
const ABOUT_OBJECT = ['EFBIG', 'ENAMETOOLONG'];

/** What else the disk answers is about the store: the next object would be answered the same. */
export function folderError(error: unknown, url: string): unknown {
  if (error instanceof ModelCacheError) return error;
  if (hasErrno(error, 'EACCES', 'EPERM', 'EROFS')) {
    return new ModelCacheError('store-denied', `${url}: ${(error as Error).message}`, {
      hint: 'give this user the right to read and write that folder',
      cause: error,
    });
  }
  const isOfDisk = toModelCacheError(error).code.startsWith('disk-') || hasErrno(error, 'EEXIST');
  if (!isOfDisk || hasErrno(error, ...ABOUT_OBJECT)) return error;
  return new ModelCacheError('store-failed', `${url}: ${(error as Error).message}`, { cause: error });
}
