import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { pathsOpenForWriting } from '../cache/writers.ts';
import { ModelCacheError } from '../errors.ts';
import { isBlob } from '../model/bucket.ts';
import type { Inventory, LocalTree } from '../model/inventory.ts';
import type { FileFailure } from '../model/file-failure.ts';

/** A plain file that somebody has open for writing is not finished. A blob's name proves that it is. */
export function setAsideUnfinished(inventory: Inventory): {
  readonly finished: Inventory;
  readonly unfinished: readonly FileFailure[];
} {
  const isPlain = (tree: LocalTree, path: string): boolean => !isBlob(tree.tree, path);
  if (!inventory.trees.some((tree) => [...tree.files.keys()].some((path) => isPlain(tree, path))))
    return { finished: inventory, unfinished: [] };
  const written = pathsOpenForWriting();
  const root = realpathSync(inventory.dir);
  const unfinished: FileFailure[] = [];
  const trees = inventory.trees.map((tree) => {
    const files = [...tree.files].filter(([path]) => {
      const isUnfinished = isPlain(tree, path) && written.has(join(root, tree.root, path));
      if (isUnfinished)
        unfinished.push({ tree: tree.tree, path, error: stillWritten(`${tree.root}/${path}`) });
      return !isUnfinished;
    });
    return { ...tree, files: new Map(files) };
  });
  return { finished: { ...inventory, trees }, unfinished };
}

function stillWritten(path: string): ModelCacheError {
  return new ModelCacheError('file-changed', `${path} is still being written`, {
    hint: 'the next upload takes it',
  });
}
