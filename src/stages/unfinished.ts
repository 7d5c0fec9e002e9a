import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf } from '../cache/digest.ts';
import { pathsOpenForWriting } from '../cache/writers.ts';
import { ModelCacheError } from '../errors.ts';
import { isBlob } from '../model/bucket.ts';
import type { Inventory, LocalTree } from '../model/inventory.ts';
import type { FileFailure } from '../model/file-failure.ts';

/** How long a plain file must have kept still before it is taken for finished. */
const STILL_MS = 2000;

interface Sorted {
  readonly finished: Inventory;
  readonly unfinished: readonly FileFailure[];
}

/** A plain file that somebody has open for writing is not finished. A blob's name proves that it is. */
export function setAsideUnfinished(inventory: Inventory): Sorted {
  if (!hasPlainFile(inventory)) return { finished: inventory, unfinished: [] };
  const written = pathsOpenForWriting();
  const root = realpathSync(inventory.dir);
  return setAside(inventory, (tree, path) =>
    written.has(join(root, tree.root, path)) ? `${tree.root}/${path} is still being written` : undefined,
  );
}

/**
 * A plain file that nobody has open may be written again in a moment, by this machine or another one on the same
 * volume: what was hashed just now must be what it was `since` (`performance.now()`), some time ago. `before` is the
 * inventory as it was then.
 */
export async function setAsideMoving(
  before: Inventory,
  hashed: Inventory,
  since: number,
  signal: AbortSignal,
): Promise<Sorted> {
  const isNew = ({ tree }: LocalTree, path: string): boolean => {
    const known = before.trees.find((candidate) => candidate.tree === tree)?.files.get(path);
    return !isBlob(tree, path) && known?.digests === undefined;
  };
  if (!hashed.trees.some((tree) => [...tree.files.keys()].some((path) => isNew(tree, path))))
    return { finished: hashed, unfinished: [] };
  await sleep(Math.max(0, since + STILL_MS - performance.now()), undefined, { signal });
  return setAside(hashed, (tree, path) => {
    const stats = lstatSync(join(hashed.dir, tree.root, path), { bigint: true, throwIfNoEntry: false });
    const isStill = stats !== undefined && identityOf(stats) === tree.files.get(path)?.identity;
    return isStill || !isNew(tree, path) ? undefined : `${tree.root}/${path} is changing`;
  });
}

/** Leaves out the plain files that `why` has something to say of. */
function setAside(inventory: Inventory, why: (tree: LocalTree, path: string) => string | undefined): Sorted {
  const unfinished: FileFailure[] = [];
  const trees = inventory.trees.map((tree) => {
    const files = [...tree.files].filter(([path]) => {
      const reason = isBlob(tree.tree, path) ? undefined : why(tree, path);
      if (reason !== undefined) unfinished.push({ tree: tree.tree, path, error: notFinished(reason) });
      return reason === undefined;
    });
    return { ...tree, files: new Map(files) };
  });
  return { finished: { ...inventory, trees }, unfinished };
}

function hasPlainFile({ trees }: Inventory): boolean {
  return trees.some(({ tree, files }) => [...files.keys()].some((path) => !isBlob(tree, path)));
}

function notFinished(message: string): ModelCacheError {
  return new ModelCacheError('file-changed', message, { hint: 'the next upload takes it' });
}
