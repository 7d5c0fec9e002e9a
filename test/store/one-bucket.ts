import { ModelCacheError } from '../../src/errors.ts';
import type { ObjectBody, Store, StoredObject } from '../../src/store/store.ts';

/** What a store has under a key, or makes up when it is asked for it. */
export type Content = Buffer | (() => ObjectBody);

/** A store that lists what it is told to, whatever it has. */
export function storeOf(
  contents: ReadonlyMap<string, Content>,
  listed?: Iterable<StoredObject> | AsyncIterable<StoredObject>,
): Store {
  const objects = (): Iterable<StoredObject> | AsyncIterable<StoredObject> =>
    listed ?? Array.from(contents, ([key, content]) => objectOf(key, content));
  const unused = (): never => {
    throw new Error('this store is only read');
  };
  return {
    url: 'test://bucket',
    kind: 'store',
    access: '',
    ranges: undefined,
    multiparts: undefined,
    async *list(prefix, signal, onPage = () => undefined) {
      for await (const object of objects()) {
        signal?.throwIfAborted();
        onPage();
        if (object.key.startsWith(prefix)) yield object;
      }
    },
    get(key) {
      const content = contents.get(key);
      if (content === undefined) return Promise.reject(new ModelCacheError('object-missing', `no ${key}`));
      return Promise.resolve(Buffer.isBuffer(content) ? bodyOf(content) : content());
    },
    head: unused,
    put: unused,
    putLarge: unused,
    abandonUploads: unused,
    close: () => undefined,
  };
}

export function bodyOf(bytes: Buffer): ObjectBody {
  return {
    etag: '"e"',
    objectSize: bytes.length,
    chunks: chunks(bytes),
    discard: () => Promise.resolve(),
  };
}

function objectOf(key: string, content: Content): StoredObject {
  const size = Buffer.isBuffer(content) ? content.length : (content().objectSize ?? 0);
  return { key, size, etag: '"e"' };
}

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
