import { ModelCacheError } from '../errors.ts';

export const LOOK_AT_STORE = 'look at the store and the way to it; --stall gives it longer';

/** Of what was asked for nothing came, or no more. `patience` in milliseconds. */
export function noByteCame(what: string, patience: number): ModelCacheError {
  return new ModelCacheError('store-stalled', `no byte of ${what} came for ${patience / 1000} s`, {
    hint: LOOK_AT_STORE,
  });
}

/** What was sent was not taken, or not answered. `patience` in milliseconds. */
export function nothingSaid(what: string, patience: number): ModelCacheError {
  return new ModelCacheError('store-stalled', `the store said nothing of ${what} for ${patience / 1000} s`, {
    hint: LOOK_AT_STORE,
  });
}
