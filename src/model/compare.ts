import { currentCommits, type Catalog, type CatalogTree } from './catalog.ts';
import { countOf, type Count } from './count.ts';
import type { Inventory, LocalTree } from './inventory.ts';
import { snapshotPath } from './paths.ts';
import type { TreeName } from './tree.ts';

export interface TreeComparison {
  readonly tree: TreeName;
  readonly here: Count;
  readonly inBucket: Count;
  /** Of what a restore would want: revisions that a ref has left are not missed. */
  readonly missingHere: Count;
  readonly missingInBucket: Count;
  /** Links and refs that one side lacks, or has otherwise. */
  readonly differingNames: number;
}

export function isInSync({ missingHere, missingInBucket, differingNames }: TreeComparison): boolean {
  return missingHere.files === 0 && missingInBucket.files === 0 && differingNames === 0;
}

/** Both sides of each tree, by path and size. */
export function compareTrees(catalog: Catalog, inventory: Inventory): readonly TreeComparison[] {
  const here = new Map(inventory.trees.map((local) => [local.tree, local]));
  const there = new Map(catalog.trees.map((remote) => [remote.tree, remote]));
  const names = new Set([...here.keys(), ...there.keys()]);
  return [...names].toSorted().map((tree) => compareTree(tree, here.get(tree), there.get(tree)));
}

function compareTree(
  tree: TreeName,
  local: LocalTree | undefined,
  remote: CatalogTree | undefined,
): TreeComparison {
  const here = new Map(Array.from(local?.files.values() ?? [], ({ path, size }) => [path, size]));
  const there = new Map((remote?.files ?? []).map(({ path, size }) => [path, size]));
  const isWanted = wantedPaths(remote);
  return {
    tree,
    here: count(here, () => true),
    inBucket: count(there, () => true),
    missingHere: count(there, (path, size) => isWanted(path) && here.get(path) !== size),
    missingInBucket: count(here, (path, size) => there.get(path) !== size),
    differingNames: countDiffering(namesHere(local), namesThere(remote), isWanted),
  };
}

/** What a restore takes of a tree: the current revisions, and blobs that no revision leads to. */
function wantedPaths(remote: CatalogTree | undefined): (path: string) => boolean {
  if (remote === undefined) return () => true;
  const current = currentCommits(remote);
  const isCurrent = (path: string): boolean => {
    const commit = snapshotPath(path)?.commit;
    return commit === undefined || current.has(commit);
  };
  const linked = new Set(remote.links.map(({ to }) => to));
  const wanted = new Set(remote.links.filter(({ path }) => isCurrent(path)).map(({ to }) => to));
  return (path) => (linked.has(path) ? wanted.has(path) : isCurrent(path));
}

/** Path → where a link leads, or what a ref says. Links that lead nowhere are not there. */
function namesHere(local: LocalTree | undefined): ReadonlyMap<string, string> {
  const links = Array.from(local?.links.values() ?? []).flatMap(({ path, to }) =>
    to !== undefined && local?.files.has(to) ? [[path, to] as const] : [],
  );
  return new Map([...links, ...(local?.refs ?? [])]);
}

function namesThere(remote: CatalogTree | undefined): ReadonlyMap<string, string> {
  const links = (remote?.links ?? []).map(({ path, to }) => [path, to] as const);
  return new Map([...links, ...(remote?.refs ?? []).map(({ path, content }) => [path, content] as const)]);
}

function countDiffering(
  here: ReadonlyMap<string, string>,
  there: ReadonlyMap<string, string>,
  isWanted: (path: string) => boolean,
): number {
  const paths = new Set([...here.keys(), ...[...there.keys()].filter(isWanted)]);
  return [...paths].filter((path) => here.get(path) !== there.get(path)).length;
}

function count(sizes: ReadonlyMap<string, number>, counts: (path: string, size: number) => boolean): Count {
  return countOf([...sizes].filter(([path, size]) => counts(path, size)).map(([, size]) => ({ size })));
}
