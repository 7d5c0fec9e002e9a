import type { Catalog, CatalogTree } from './catalog.ts';
import { foldedBy, type NameFolding } from './name-folding.ts';
import { shownPath } from './paths.ts';

/**
 * The catalog without what would overwrite something else of it on a file system that folds names: of two, the later
 * one is refused. Trees count in the order of their names, not in that in which their manifests came, so that it is the
 * same one at every start.
 */
export function withoutTwins(catalog: Catalog, folding: NameFolding): Catalog {
  if (!folding.ofCase && !folding.ofForm) return catalog;
  /** Folded paths below the dir. */
  const leaves = new Set<string>();
  /** Folded paths of folders that leaves are in. */
  const folders = new Set<string>();
  const claim = (path: string): boolean => {
    const folded = foldedBy(folding, path);
    const above = foldersOf(folded);
    if (folders.has(folded) || leaves.has(folded) || above.some((folder) => leaves.has(folder))) return false;
    leaves.add(folded);
    for (const folder of above) folders.add(folder);
    return true;
  };
  return { ...catalog, trees: catalog.trees.toSorted(byName).map((tree) => keepFirst(tree, claim)) };
}

function keepFirst(tree: CatalogTree, claim: (path: string) => boolean): CatalogTree {
  const refused = [...tree.refused];
  const keep = <T extends { readonly path: string }>(entries: readonly T[]): readonly T[] =>
    entries.filter(({ path }) => {
      const isFirst = claim(`${tree.tree}/${path}`);
      if (!isFirst) refused.push({ path: shownPath(path), reason: 'unsafe-path' });
      return isFirst;
    });
  const files = keep(tree.files);
  const links = keep(tree.links);
  return { ...tree, files, links, refs: keep(tree.refs), refused };
}

function byName(a: CatalogTree, b: CatalogTree): number {
  return a.tree < b.tree ? -1 : Number(a.tree > b.tree);
}

function foldersOf(path: string): readonly string[] {
  const ends = Array.from(path.matchAll(/\//g), ({ index }) => index);
  return ends.map((end) => path.slice(0, end));
}
