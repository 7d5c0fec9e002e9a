import type { ModelCacheError } from '../errors.ts';

/** One file that is left out, with its reason. */
export interface FileFailure {
  readonly tree: string;
  readonly path: string;
  readonly error: ModelCacheError;
}
