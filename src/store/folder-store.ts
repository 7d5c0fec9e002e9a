import { randomUUID } from 'node:crypto';
import { constants, lstatSync, mkdirSync, type BigIntStats } from 'node:fs';
import { lstat, open, readdir, realpath, rename, rm, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasErrno, ModelCacheError } from '../errors.ts';
import { makeFolders } from '../files.ts';
import type { ByteRange } from '../model/parts.ts';
import { isSafePath } from '../model/paths.ts';
import { changed, folderError, missing, notAFolder } from './folder-errors.ts';
import { keysBelow, UNFINISHED } from './folder-listing.ts';
import { endsEarly } from './object-errors.ts';
import type { GetOptions, ObjectBody, PutLargeOptions, Store, StoredObject } from './store.ts';

/** Not there (any more), or not to be touched by this user. */
const LEFT_ALONE = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS'];
const BLOCK = 1024 * 1024;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * The bucket's layout in a folder: for trying things out, and for network volumes. An object is a regular file: links,
 * pipes and devices that somebody has put there are none, and nothing is written through a link.
 */
export class FolderStore implements Store {
  readonly kind = 'store';
  readonly access = '';
  readonly ranges = undefined;
  readonly multiparts = undefined;
  readonly url: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.url = `file://${root}`;
  }

  async *list(
    prefix: string,
    signal?: AbortSignal,
    onPage: () => void = () => undefined,
  ): AsyncGenerator<StoredObject> {
    signal?.throwIfAborted();
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const onEntry = (): void => {
      signal?.throwIfAborted();
      onPage();
    };
    for await (const key of keysBelow(this.#root, folder, onEntry)) {
      if (!key.startsWith(prefix)) continue;
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
        chunks: readAndClose(file, wanted, this.url, signal),
        discard: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw folderError(error, this.url);
    }
  }

  async head(key: string): Promise<StoredObject | undefined> {
    try {
      const stats = await lstat(this.#pathOf(key), { bigint: true });
      return stats.isFile() ? objectOf(key, stats) : undefined;
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
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
      const file = await this.#inFolder(() => {
        this.#makeFolders(UNFINISHED);
        return open(temporary, 'wx');
      });
      try {
        for await (const chunk of chunks) {
          signal?.throwIfAborted();
          await this.#inFolder(() => file.writeFile(chunk));
        }
      } finally {
        await this.#inFolder(() => file.close());
      }
      const path = this.#pathOf(key);
      await this.#inFolder(() => {
        this.#makeFolders(dirname(key));
        return rename(temporary, path);
      });
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** Chunks that are sent are read from another disk: what that one answers is not about this folder. */
  async #inFolder<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
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

  /** What is missing of a folder below the root. None on the way is a link: what lies elsewhere is not ours. */
  #makeFolders(folder: string): void {
    makeFolders(this.#root);
    const names = folder === '.' ? [] : folder.split('/');
    for (const [index] of names.entries()) {
      const path = join(this.#root, ...names.slice(0, index + 1));
      try {
        mkdirSync(path);
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
        if (!lstatSync(path).isDirectory()) throw notAFolder(path);
      }
    }
  }

  /** A pipe is not waited for. */
  async #open(key: string): Promise<FileHandle> {
    try {
      return await open(this.#pathOf(key), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO')) throw missing(key, this.url);
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
  url: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  try {
    for (let position = start; position < end;) {
      signal?.throwIfAborted();
      const block = Buffer.allocUnsafe(Math.min(BLOCK, end - position));
      const { bytesRead } = await file.read(block, 0, block.length, position).catch((error: unknown) => {
        throw folderError(error, url);
      });
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
