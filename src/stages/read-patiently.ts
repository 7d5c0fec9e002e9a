import { countdown } from '../countdown.ts';
import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { withSigns } from '../store/signs-of-life.ts';
import type { Store } from '../store/store.ts';
import { Progress } from '../transfer/progress.ts';
import { withRetries } from '../transfer/retry.ts';
import { withPatience, type Patience } from '../transfer/watchdog.ts';

/** Two minutes, as --stall is: a listing of a hundred thousand objects at a page a second. */
const STALLS = 4;
/** Many pods that start at once are too many for some providers, for a moment. */
const TRIES = 4;

/**
 * Reads what must be known of a store before anything is moved. Each page and each whole answer is a sign of life; but
 * a store that gives one now and then must not keep a server waiting for ever.
 */
export async function readPatiently<T>(
  store: Store,
  patience: Patience,
  stop: AbortSignal,
  read: (store: Store, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const progress = new Progress();
  const telling = withSigns(store, () => progress.sign());
  const late = new AbortController();
  const timer = countdown(patience.stall * STALLS, () => late.abort(tooSlow(store, patience)));
  const ending = AbortSignal.any([stop, late.signal]);
  try {
    return await withPatience(patience, progress, ending, (signal) =>
      progress.whileWaiting(() => withRetries(TRIES, isOverloaded, signal, () => read(telling, signal))),
    );
  } finally {
    clearTimeout(timer);
  }
}

function isOverloaded(error: unknown): boolean {
  return toModelCacheError(error).code === 'store-throttled';
}

function tooSlow({ url }: Store, { stall }: Patience): ModelCacheError {
  const seconds = (stall * STALLS) / 1000;
  return new ModelCacheError('store-slow', `what is in ${url} was not known after ${seconds} s`, {
    hint: `a longer --stall gives it ${STALLS} times as long`,
  });
}
