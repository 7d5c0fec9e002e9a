import type { ObjectBody, Store } from './store.ts';

/** So many bytes of a body are a sign: one that drips is none. */
const BYTES_OF_SIGN = 1024 * 1024;

/** A store that tells of each page, answer and whole body which came, and of each MiB of a large one. */
export function withSigns(store: Store, onSign: () => void): Store {
  const thenSign = async <T>(work: Promise<T>): Promise<T> => {
    const result = await work;
    onSign();
    return result;
  };
  return {
    url: store.url,
    kind: store.kind,
    access: store.access,
    ranges: store.ranges,
    multiparts: store.multiparts,
    list: (prefix, signal, onPage) =>
      store.list(prefix, signal, () => {
        onSign();
        onPage?.();
      }),
    get: async (key, options) => withSigningBody(await store.get(key, options), onSign),
    head: (key, signal) => thenSign(store.head(key, signal)),
    put: (key, bytes, signal) => thenSign(store.put(key, bytes, signal)),
    putLarge: (key, chunks, options) => thenSign(store.putLarge(key, chunks, options)),
    abandonUploads: (before, signal) => thenSign(store.abandonUploads(before, signal)),
    close: () => store.close(),
  };
}

function withSigningBody(body: ObjectBody, onSign: () => void): ObjectBody {
  return { ...body, chunks: signing(body.chunks, onSign) };
}

async function* signing(chunks: AsyncIterable<Buffer>, onSign: () => void): AsyncGenerator<Buffer> {
  let unsigned = 0;
  for await (const chunk of chunks) {
    unsigned += chunk.length;
    if (unsigned >= BYTES_OF_SIGN) {
      unsigned = 0;
      onSign();
    }
    yield chunk;
  }
  onSign();
}
