import type { ModelCacheError } from '../errors.ts';
import type { TreeName } from './tree.ts';

/** One file that is left out, with its reason. */
export interface FileFailure {
  readonly tree: TreeName;
  readonly path: string;
  readonly error: ModelCacheError;
}
