import { ModelCacheError } from '../errors.ts';

/** Of what was asked for nothing came, or no more. `patience` in milliseconds. */
export function noByteCame(what: string, patience: number): ModelCacheError {
  return new ModelCacheError('store-stalled', `no byte of ${what} came for ${patience / 1000} s`);
}

/** What was sent was not taken, or not answered. `patience` in milliseconds. */
export function nothingSaid(what: string, patience: number): ModelCacheError {
  return new ModelCacheError('store-stalled', `the store said nothing of ${what} for ${patience / 1000} s`);
}
