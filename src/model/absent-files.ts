import type { Catalog, CatalogFile, CatalogTree } from './catalog.ts';

/** A catalog without the files that the store turned out not to hold, by key. */
export function withoutFiles(catalog: Catalog, absent: ReadonlySet<CatalogFile>): Catalog {
  if (absent.size === 0) return catalog;
  return { ...catalog, trees: catalog.trees.map((tree) => withoutFilesOfTree(tree, absent)) };
}

function withoutFilesOfTree(tree: CatalogTree, absent: ReadonlySet<CatalogFile>): CatalogTree {
  const lost = tree.files.filter((file) => absent.has(file));
  if (lost.length === 0) return tree;
  return {
    ...tree,
    files: tree.files.filter((file) => !absent.has(file)),
    refused: [...tree.refused, ...lost.map(({ path }) => ({ path, reason: 'unverified' as const }))],
  };
}
