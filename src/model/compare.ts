import type { Catalog, CatalogTree } from './catalog.ts';
import type { Inventory, LocalTree } from './inventory.ts';
import type { TreeName } from './tree.ts';

interface Count {
  readonly files: number;
  /** Bytes. */
  readonly bytes: number;
}

export interface TreeComparison {
  readonly tree: TreeName;
  readonly here: Count;
  readonly inBucket: Count;
  readonly missingHere: Count;
  readonly missingInBucket: Count;
}

/** Both sides of each tree, by path and size. */
export function compareTrees(catalog: Catalog, inventory: Inventory): readonly TreeComparison[] {
  const names = new Set([...inventory.trees, ...catalog.trees].map(({ tree }) => tree));
  return [...names].toSorted().map((tree) =>
    compareTree(
      tree,
      inventory.trees.find((local) => local.tree === tree),
      catalog.trees.find((remote) => remote.tree === tree),
    ),
  );
}

function compareTree(
  tree: TreeName,
  local: LocalTree | undefined,
  remote: CatalogTree | undefined,
): TreeComparison {
  const here = new Map(Array.from(local?.files.values() ?? [], ({ path, size }) => [path, size]));
  const there = new Map((remote?.files ?? []).map(({ path, size }) => [path, size]));
  return {
    tree,
    here: count(here, () => true),
    inBucket: count(there, () => true),
    missingHere: count(there, (path, size) => here.get(path) !== size),
    missingInBucket: count(here, (path, size) => there.get(path) !== size),
  };
}

function count(sizes: ReadonlyMap<string, number>, counts: (path: string, size: number) => boolean): Count {
  const counted = [...sizes].filter(([path, size]) => counts(path, size));
  return { files: counted.length, bytes: counted.reduce((sum, [, size]) => sum + size, 0) };
}
