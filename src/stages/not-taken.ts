import { ModelCacheError } from '../errors.ts';
import type { FileFailure } from '../model/file-failure.ts';
import type { Inventory } from '../model/inventory.ts';

/** What a scan has seen and cannot take, as something that is left out. */
export function notTaken({ path, why }: Inventory['skipped'][number]): FileFailure {
  return {
    tree: '',
    path,
    error: new ModelCacheError('path-unsafe', `${JSON.stringify(path)} is not taken: ${why}`),
  };
}
