import { refsToWholeCommits, type Catalog, type CatalogFile, type CatalogTree } from './catalog.ts';

/** A catalog without the files that the store turned out not to hold, by key, and without the refs to their commits. */
export function withoutFiles(catalog: Catalog, absent: ReadonlySet<CatalogFile>): Catalog {
  if (absent.size === 0) return catalog;
  return { ...catalog, trees: catalog.trees.map((tree) => withoutFilesOfTree(tree, absent)) };
}

function withoutFilesOfTree(tree: CatalogTree, absent: ReadonlySet<CatalogFile>): CatalogTree {
  const files = tree.files.filter((file) => !absent.has(file));
  if (files.length === tree.files.length) return tree;
  const lost = new Set(tree.files.filter((file) => absent.has(file)).map(({ path }) => path));
  const lostPaths = [...lost, ...tree.links.filter(({ to }) => lost.has(to)).map(({ path }) => path)];
  return {
    ...tree,
    files,
    refs: refsToWholeCommits(tree.refs, lostPaths),
    refused: [...tree.refused, ...Array.from(lost, (path) => ({ path, reason: 'unverified' as const }))],
  };
}
