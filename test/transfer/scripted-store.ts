import { ModelCacheError } from '../../src/errors.ts';
import type { GetOptions, ObjectBody, Store } from '../../src/store/store.ts';

export interface Asked extends GetOptions {
  readonly key: string;
  /** 1 for the first get of the store. */
  readonly count: number;
}

/** A store of one kind of answer: `content` is asked for the bytes that the object has at this moment. */
export function storeThat(
  answer: (asked: Asked) => Promise<ObjectBody> | ObjectBody,
): Store & { asked: Asked[] } {
  const asked: Asked[] = [];
  const never = (): never => {
    throw new Error('not of this test');
  };
  const get = async (key: string, options: GetOptions = {}): Promise<ObjectBody> => {
    asked.push({ ...options, key, count: asked.length + 1 });
    options.signal?.throwIfAborted();
    return answer({ ...options, key, count: asked.length });
  };
  const head = never;
  return {
    url: 'test://',
    kind: 'store',
    access: '',
    asked,
    get,
    head,
    list: never,
    put: never,
    putLarge: never,
    ranges: undefined,
    multiparts: undefined,
    abandonUploads: never,
    close: never,
  };
}

/** The answer of a store that holds `bytes`, pinned as a real one would; `breakAfter` bytes the connection breaks. */
export function bodyOf(
  bytes: Buffer,
  { range, etag }: Asked,
  version = 'v1',
  breakAfter = Infinity,
): ObjectBody {
  if (etag !== undefined && etag !== version) throw new ModelCacheError('object-changed', 'it was replaced');
  const wanted = range === undefined ? bytes : bytes.subarray(range.start, range.end);
  return {
    etag: version,
    objectSize: bytes.length,
    chunks: pieces(wanted, breakAfter),
    discard: () => Promise.resolve(),
  };
}

async function* pieces(bytes: Buffer, breakAfter: number): AsyncGenerator<Buffer> {
  const size = 64 * 1024;
  for (let at = 0; at < bytes.length; at += size) {
    if (at >= breakAfter) throw new ModelCacheError('store-unreachable', 'the connection broke');
    yield bytes.subarray(at, at + size);
  }
}
