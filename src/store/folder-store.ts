import { randomUUID } from 'node:crypto';
import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, open, readdir, realpath, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasErrno, ModelCacheError } from '../errors.ts';
import { makeFolders } from '../files.ts';
import type { ByteRange } from '../model/parts.ts';
import { isSafePath } from '../model/paths.ts';
import { endsEarly } from './object-errors.ts';
import type { GetOptions, ObjectBody, PutLargeOptions, Store, StoredObject } from './store.ts';

/** Written here first, renamed into place when whole. Not part of any listing. */
const UNFINISHED = '.model-cache/tmp';
/** Not there (any more), or not to be touched by this user. */
const LEFT_ALONE = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS'];
const BLOCK = 1024 * 1024;

/** The bucket's layout in a folder: for trying things out, and for network volumes. */
export class FolderStore implements Store {
  readonly kind = 'store';
  readonly access = '';
  readonly multiparts = undefined;
  readonly url: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.url = `file://${root}`;
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    for await (const key of this.#keysBelow(folder)) {
      signal?.throwIfAborted();
      if (!key.startsWith(prefix) || !isSafePath(key)) continue;
      const object = await this.head(key);
      if (object !== undefined) yield object;
    }
  }

  /** The file is opened here, so that the body is of the object that the ETag names, whatever happens to its name. */
  async get(key: string, { range, etag, signal }: GetOptions = {}): Promise<ObjectBody> {
    const file = await this.#open(key);
    try {
      const stats = await file.stat({ bigint: true });
      if (!stats.isFile()) throw missing(key, this.url);
      const object = objectOf(key, stats);
      if (etag !== undefined && etag !== object.etag) throw changed(key, etag, object.etag);
      const wanted = range ?? { start: 0, end: object.size };
      if (wanted.end > object.size) throw endsEarly(key, wanted.end, object.size);
      return {
        etag: object.etag,
        objectSize: object.size,
        chunks: readAndClose(file, wanted, signal),
        discard: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async head(key: string): Promise<StoredObject | undefined> {
    try {
      const stats = await stat(this.#pathOf(key), { bigint: true });
      return stats.isFile() ? objectOf(key, stats) : undefined;
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw folderError(error, this.url);
    }
  }

  async put(key: string, bytes: Buffer, signal?: AbortSignal): Promise<void> {
    await this.#write(key, [bytes], signal);
  }

  async putLarge(key: string, chunks: AsyncIterable<Buffer>, { signal }: PutLargeOptions): Promise<void> {
    await this.#write(key, chunks, signal);
  }

  /** What this user may not remove stays. */
  async abandonUploads(before: number, signal?: AbortSignal): Promise<number> {
    let count = 0;
    for (const path of await this.#unfinished()) {
      signal?.throwIfAborted();
      if (await this.#isRemoved(path, before)) count += 1;
    }
    return count;
  }

  close(): void {
    // Holds nothing open.
  }

  async #write(
    key: string,
    chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    const temporary = join(this.#root, UNFINISHED, randomUUID());
    try {
      makeFolders(dirname(temporary));
      const file = await open(temporary, 'wx');
      try {
        for await (const chunk of chunks) {
          signal?.throwIfAborted();
          await file.writeFile(chunk);
        }
      } finally {
        await file.close();
      }
      makeFolders(dirname(this.#pathOf(key)));
      await rename(temporary, this.#pathOf(key));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw folderError(error, this.url);
    }
  }

  /** Nothing where a link leads out of the folder: what lies there is not ours to remove. */
  async #unfinished(): Promise<readonly string[]> {
    try {
      const folder = join(await realpath(this.#root), UNFINISHED);
      if ((await realpath(folder)) !== folder) return [];
      return (await readdir(folder)).map((name) => join(folder, name));
    } catch (error) {
      if (hasErrno(error, ...LEFT_ALONE)) return [];
      throw folderError(error, this.url);
    }
  }

  /** Removes the file that nobody has written to since `before`, unless somebody was faster. */
  async #isRemoved(path: string, before: number): Promise<boolean> {
    try {
      const stats = await lstat(path);
      if (!stats.isFile() || stats.mtimeMs >= before) return false;
      await unlink(path);
      return true;
    } catch (error) {
      if (hasErrno(error, ...LEFT_ALONE)) return false;
      throw folderError(error, this.url);
    }
  }

  async #open(key: string): Promise<FileHandle> {
    try {
      return await open(this.#pathOf(key), 'r');
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) throw missing(key, this.url);
      throw folderError(error, this.url);
    }
  }

  async *#keysBelow(folder: string): AsyncGenerator<string> {
    if (`${UNFINISHED}/` === folder) return;
    for (const entry of await this.#entries(folder)) {
      if (entry.isDirectory()) yield* this.#keysBelow(`${folder}${entry.name}/`);
      else if (entry.isFile()) yield `${folder}${entry.name}`;
    }
  }

  async #entries(folder: string): Promise<readonly Dirent[]> {
    try {
      return await readdir(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      const isRoot = folder === '';
      if (hasErrno(error, 'ENOENT') || (hasErrno(error, 'ENOTDIR') && !isRoot)) return [];
      throw folderError(error, this.url);
    }
  }

  #pathOf(key: string): string {
    if (!isSafePath(key))
      throw new ModelCacheError('path-unsafe', `no object can have the key ${JSON.stringify(key)}`);
    return join(this.#root, key);
  }
}

async function* readAndClose(
  file: FileHandle,
  { start, end }: ByteRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  try {
    for (let position = start; position < end;) {
      signal?.throwIfAborted();
      const block = Buffer.allocUnsafe(Math.min(BLOCK, end - position));
      const { bytesRead } = await file.read(block, 0, block.length, position);
      if (bytesRead === 0)
        throw new ModelCacheError('store-failed', 'an object became shorter while it was read');
      position += bytesRead;
      yield block.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function objectOf(key: string, { size, mtimeNs, ino }: BigIntStats): StoredObject {
  return { key, size: Number(size), etag: `${ino}-${mtimeNs}-${size}` };
}

function missing(key: string, url: string): ModelCacheError {
  return new ModelCacheError('object-missing', `${url} has no object ${key}`);
}

function changed(key: string, wanted: string, found: string): ModelCacheError {
  return new ModelCacheError('object-changed', `${key} was replaced while it was read`, { wanted, found });
}

function folderError(error: unknown, url: string): unknown {
  if (hasErrno(error, 'EACCES', 'EPERM', 'EROFS')) {
    return new ModelCacheError('store-denied', `${url}: ${(error as Error).message}`, {
      hint: 'give this user the right to read and write that folder',
      cause: error,
    });
  }
  if (!hasErrno(error, 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY', 'EIO', 'ESTALE', 'ENOSPC', 'EDQUOT'))
    return error;
  return new ModelCacheError('store-failed', `${url}: ${(error as Error).message}`, { cause: error });
}
