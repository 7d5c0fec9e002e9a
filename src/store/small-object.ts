import { NotItsName } from '../model/manifest.ts';
import { toModelCacheError } from '../errors.ts';
import { isWorthRetrying, readSmall, type Store } from './store.ts';

const MOST_TRIES = 3;
/** As for what is large: wrong twice, on different connections, is wrong. */
const MOST_WRONG = 2;

/**
 * What `make` makes of a small object, of at most `limit` bytes. Of what breaks off nobody else asks again; and what is
 * not what it should be may have become so on its way. Throws what `make` and the store throw, and
 * `object-size-differs` where it is larger.
 */
export async function readSmallObject<T>(
  store: Pick<Store, 'get'>,
  key: string,
  limit: number,
  signal: AbortSignal | undefined,
  make: (bytes: Buffer) => T | Promise<T>,
): Promise<T> {
  let wrong = 0;
  for (let tries = 1; ; tries += 1) {
    const body = await store.get(key, { signal, atMost: limit, ...(tries > 1 && { onNewConnection: true }) });
    try {
      return await make(await readSmall(body, limit));
    } catch (error) {
      signal?.throwIfAborted();
      const isWrong = isOtherThanItShouldBe(error);
      if (isWrong) wrong += 1;
      if (tries === MOST_TRIES || wrong === MOST_WRONG || !(isWrong || isWorthRetrying(error))) throw error;
    }
  }
}

/** What `make` makes of a small object, or undefined when there is none. */
export async function readIfThere<T>(
  store: Pick<Store, 'get'>,
  key: string,
  limit: number,
  signal: AbortSignal | undefined,
  make: (bytes: Buffer) => T,
): Promise<T | undefined> {
  try {
    return await readSmallObject(store, key, limit, signal, make);
  } catch (error) {
    if (toModelCacheError(error).code === 'object-missing') return undefined;
    throw error;
  }
}

function isOtherThanItShouldBe(error: unknown): boolean {
  return error instanceof NotItsName || toModelCacheError(error).code === 'format-unknown';
}
