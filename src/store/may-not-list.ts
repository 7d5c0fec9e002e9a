import { ModelCacheError, toModelCacheError } from '../errors.ts';
import type { Ranges, Store } from './store.ts';

/**
 * A store whose key may have no right to list: it is answered 403 for what is not there, too. So 403 for one object
 * says nothing of the others, and is about that object.
 */
export function mayNotList(store: Store): Store {
  return {
    url: store.url,
    kind: store.kind,
    access: store.access,
    ranges: store.ranges && deniedIsMissing(store.ranges),
    multiparts: store.multiparts,
    list: (prefix, signal, onPage) => store.list(prefix, signal, onPage),
    get: (key, options) => orMissing(() => store.get(key, options)),
    head: (key, signal) => store.head(key, signal),
    put: (key, bytes, signal) => store.put(key, bytes, signal),
    putLarge: (key, chunks, options) => store.putLarge(key, chunks, options),
    abandonUploads: (before, signal) => store.abandonUploads(before, signal),
    close: () => store.close(),
  };
}

function deniedIsMissing(ranges: Ranges): Ranges {
  return {
    get provesParts() {
      return ranges.provesParts;
    },
    get roundTrip() {
      return ranges.roundTrip;
    },
    takeLoad: () => ranges.takeLoad(),
    prepare: (connections) => ranges.prepare(connections),
    fetch: (order) => orMissing(() => ranges.fetch(order)),
    fetchFiles: (order) => orMissing(() => ranges.fetchFiles(order)),
  };
}

async function orMissing<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw isDenied(error) ? missingOrDenied(error) : error;
  }
}

export function isDenied(error: unknown): error is ModelCacheError {
  return toModelCacheError(error).code === 'store-denied';
}

/** What 403 means for an object where others can be read. */
export function missingOrDenied({ message, cause }: ModelCacheError): ModelCacheError {
  return new ModelCacheError('object-missing', `${message}: it is not there, or this key may not read it`, {
    hint: 'a key without s3:ListBucket gets this answer for both',
    cause,
  });
}
