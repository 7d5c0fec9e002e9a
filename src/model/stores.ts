import type { Catalog, CatalogTree } from './catalog.ts';
import { isBelow } from './tree.ts';

/** What of a catalog does not come to lie in a store: a scan does not look there, and would miss it at every start. */
export function besideStores(catalog: Catalog, stores: readonly string[]): Catalog {
  if (stores.length === 0) return catalog;
  const isBeside = (path: string): boolean => !stores.some((store) => isBelow(`${path}/`, store));
  const trees = catalog.trees.filter(({ tree }) => isBeside(tree));
  return { ...catalog, trees: trees.map((tree) => besideStoresIn(tree, isBeside)) };
}

/** A store may lie in an `--also` folder. */
function besideStoresIn(tree: CatalogTree, isBeside: (path: string) => boolean): CatalogTree {
  const isKept = (path: string): boolean => isBeside(`${tree.tree}/${path}`);
  return {
    ...tree,
    files: tree.files.filter(({ path }) => isKept(path)),
    links: tree.links.filter(({ path, to }) => isKept(path) && isKept(to)),
  };
}
