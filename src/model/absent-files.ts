import type { Catalog, CatalogFile, CatalogTree } from './catalog.ts';
import { snapshotPath } from './paths.ts';

/**
 * A catalog without the files that the store turned out not to hold, by key. A ref is left out with them when its commit
 * would lack something.
 */
export function withoutFiles(catalog: Catalog, absent: ReadonlySet<CatalogFile>): Catalog {
  if (absent.size === 0) return catalog;
  return { ...catalog, trees: catalog.trees.map((tree) => withoutFilesOfTree(tree, absent)) };
}

function withoutFilesOfTree(tree: CatalogTree, absent: ReadonlySet<CatalogFile>): CatalogTree {
  const files = tree.files.filter((file) => !absent.has(file));
  if (files.length === tree.files.length) return tree;
  const lost = new Set(tree.files.filter((file) => absent.has(file)).map(({ path }) => path));
  const lostPaths = [...lost, ...tree.links.filter(({ to }) => lost.has(to)).map(({ path }) => path)];
  const broken = new Set(lostPaths.map((path) => snapshotPath(path)?.commit));
  return {
    ...tree,
    files,
    refs: tree.refs.filter(({ content }) => !broken.has(content)),
    refused: [...tree.refused, ...Array.from(lost, (path) => ({ path, reason: 'unverified' as const }))],
  };
}
