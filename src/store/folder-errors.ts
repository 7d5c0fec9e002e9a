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

export function folderError(error: unknown, url: string): unknown {
  if (hasErrno(error, 'EACCES', 'EPERM', 'EROFS')) {
    return new ModelCacheError('store-denied', `${url}: ${(error as Error).message}`, {
      hint: 'give this user the right to read and write that folder',
      cause: error,
    });
  }
  const isFull = toModelCacheError(error).code === 'disk-full';
  if (!isFull && !hasErrno(error, 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY', 'EIO', 'ESTALE')) return error;
  return new ModelCacheError('store-failed', `${url}: ${(error as Error).message}`, { cause: error });
}
