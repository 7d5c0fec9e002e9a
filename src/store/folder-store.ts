import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasErrno, ModelCacheError } from '../errors.ts';
import { isSafePath } from '../model/paths.ts';
import type { GetOptions, ObjectBody, PutLargeOptions, Store, StoredObject } from './store.ts';

/** Written here first, renamed into place when whole. Not part of any listing. */
const UNFINISHED = '.model-cache/tmp';

/** The bucket's layout in a folder: for trying things out, and for network volumes. */
export class FolderStore implements Store {
  readonly kind = 'store';
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
      if (!key.startsWith(prefix)) continue;
      const object = await this.head(key);
      if (object !== undefined) yield object;
    }
  }

  async get(key: string, { range, etag, signal }: GetOptions = {}): Promise<ObjectBody> {
    const object = await this.head(key);
    if (object === undefined) throw missing(key, this.url);
    if (etag !== undefined && etag !== object.etag) throw changed(key, etag, object.etag);
    return {
      etag: object.etag,
      objectSize: object.size,
      chunks: readRange(this.#pathOf(key), range ?? { start: 0, end: object.size }, signal),
    };
  }

  async head(key: string): Promise<StoredObject | undefined> {
    try {
      const { size, mtimeNs, ino } = await stat(this.#pathOf(key), { bigint: true });
      return { key, size: Number(size), etag: `${ino}-${mtimeNs}-${size}` };
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
      await mkdir(dirname(temporary), { recursive: true });
      const file = await open(temporary, 'wx');
      try {
        for await (const chunk of chunks) {
          signal?.throwIfAborted();
          await file.writeFile(chunk);
        }
      } finally {
        await file.close();
      }
      await mkdir(dirname(this.#pathOf(key)), { recursive: true });
      await rename(temporary, this.#pathOf(key));
    } catch (error) {
      await rm(temporary, { force: true });
      throw folderError(error, this.url);
    }
  }

  async *#keysBelow(folder: string): AsyncGenerator<string> {
    if (`${UNFINISHED}/` === folder) return;
    let entries;
    try {
      entries = await opendir(join(this.#root, folder));
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return;
      throw folderError(error, this.url);
    }
    for await (const entry of entries) {
      if (entry.isDirectory()) yield* this.#keysBelow(`${folder}${entry.name}/`);
      else if (entry.isFile()) yield `${folder}${entry.name}`;
    }
  }

  #pathOf(key: string): string {
    if (!isSafePath(key))
      throw new ModelCacheError('path-unsafe', `no object can have the key ${JSON.stringify(key)}`);
    return join(this.#root, key);
  }
}

async function* readRange(
  path: string,
  { start, end }: { readonly start: number; readonly end: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  if (start === end) return;
  const stream = createReadStream(path, {
    start,
    end: end - 1,
    highWaterMark: 1024 * 1024,
    ...(signal && { signal }),
  });
  for await (const chunk of stream) yield chunk as Buffer;
}

function missing(key: string, url: string): ModelCacheError {
  return new ModelCacheError('object-missing', `${url} has no object ${key}`);
}

function changed(key: string, wanted: string, found: string): ModelCacheError {
  return new ModelCacheError('object-changed', `${key} was replaced while it was read`, { wanted, found });
}

function folderError(error: unknown, url: string): unknown {
  if (!hasErrno(error, 'EACCES', 'EPERM', 'EROFS')) return error;
  return new ModelCacheError('store-denied', `${url}: ${(error as Error).message}`, {
    hint: 'give this user the right to read and write that folder',
    cause: error,
  });
}
