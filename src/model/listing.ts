import {
  believableTree,
  type Catalog,
  type CatalogFile,
  type CatalogLink,
  type CatalogTree,
} from './catalog.ts';
import { linkTarget } from './paths.ts';
import {
  isRepoFolder,
  mayHoldBytes,
  isAllowedTree,
  roleOf,
  TORCH_CHECKPOINTS,
  treeOfRepoFolder,
  type TreeName,
} from './tree.ts';

/*
 * A bucket without manifests, as `aws s3 sync` leaves it: links were followed, so each weight is there twice or more,
 * under `blobs/` and under `snapshots/`. Blob names carry their checksums; copies become links to them again.
 */

export interface ListedObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly etag: string;
}

/** A copy below `snapshots/` that the listing alone cannot place: its content decides which blob it is, if any. */
export interface UnplacedCopy {
  readonly tree: TreeName;
  readonly path: string;
  readonly object: ListedObject;
}

export interface ListingSurvey {
  readonly trees: ReadonlyMap<TreeName, SurveyedTree>;
  readonly unplaced: readonly UnplacedCopy[];
}

interface ListedRef {
  readonly path: string;
  readonly object: ListedObject;
}

interface SurveyedTree {
  /** By path. */
  readonly blobs: ReadonlyMap<string, CatalogFile>;
  readonly links: readonly CatalogLink[];
  readonly refs: readonly ListedRef[];
  readonly unvouched: readonly CatalogFile[];
}

/** For each unplaced copy the path of the blob whose name its content proves, or undefined. */
export type Placement = ReadonlyMap<UnplacedCopy, string | undefined>;

/**
 * Sorts a listing into trees. A copy is placed without reading it when exactly one blob of its repo has its size and
 * its ETag: both were written by the same tool, which gives the same bytes the same ETag.
 */
export function surveyListing(objects: readonly ListedObject[], also: readonly TreeName[]): ListingSurvey {
  const byTree = new Map<TreeName, Map<string, ListedObject>>();
  for (const object of objects) {
    const place = placeOf(object.key, also);
    if (place === undefined) continue;
    const entries = byTree.get(place.tree) ?? new Map<string, ListedObject>();
    if (!entries.has(place.path)) entries.set(place.path, object);
    byTree.set(place.tree, entries);
  }
  const unplaced: UnplacedCopy[] = [];
  const trees = new Map(Array.from(byTree, ([tree, entries]) => [tree, surveyTree(tree, entries, unplaced)]));
  return { trees, unplaced };
}

/** Key of a ref object → its content, byte for byte; only of those that name a commit. */
export type RefContents = ReadonlyMap<string, string>;

/** The catalog, once unplaced copies were read and refs fetched. */
export function catalogOfListing(
  survey: ListingSurvey,
  placement: Placement,
  refContents: RefContents,
  acceptUnverified: boolean,
): Catalog {
  const unplaced = Map.groupBy(survey.unplaced, ({ tree }) => tree);
  const trees = Array.from(survey.trees, ([tree, surveyed]): CatalogTree => {
    const placed: CatalogLink[] = [];
    const left: CatalogFile[] = [...surveyed.unvouched];
    for (const copy of unplaced.get(tree) ?? []) {
      const blob = placement.get(copy);
      if (blob === undefined) left.push(unvouchedFile(copy.path, copy.object));
      else placed.push(linkTo(copy.path, blob));
    }
    const blobs = [...surveyed.blobs.values()];
    return believableTree({
      tree,
      files: acceptUnverified ? [...blobs, ...left] : blobs,
      links: [...surveyed.links, ...placed],
      refs: surveyed.refs.flatMap(({ path, object }) => {
        const content = refContents.get(object.key);
        return content === undefined ? [] : [{ path, content }];
      }),
      retired: new Set(),
      refused: acceptUnverified ? [] : left.map(({ path }) => ({ path, reason: 'unverified' as const })),
    });
  });
  const holding = trees.filter(({ files, refused }) => files.length > 0 || refused.length > 0);
  return { source: holding.length === 0 ? 'nothing' : 'listing', trees: holding };
}

function surveyTree(
  tree: TreeName,
  entries: ReadonlyMap<string, ListedObject>,
  unplaced: UnplacedCopy[],
): SurveyedTree {
  const blobs = new Map<string, CatalogFile>();
  const refs: ListedRef[] = [];
  const copies: { path: string; object: ListedObject }[] = [];
  const unvouched: CatalogFile[] = [];
  const blobsByContent = new Map<string, string[]>();
  const blobSizes = new Set<number>();
  for (const [path, object] of entries) {
    const role = roleOf(tree, path);
    if (role?.role === 'ref') refs.push({ path, object });
    else if (!mayHoldBytes(tree, path)) continue;
    else if (role?.role === 'blob') {
      const { size, key } = object;
      blobs.set(path, { path, size, key, digests: role.digests, executable: false });
      blobSizes.add(size);
      const alike = blobsByContent.get(contentKey(object));
      if (alike === undefined) blobsByContent.set(contentKey(object), [path]);
      else alike.push(path);
    } else if (role?.role === 'snapshot') copies.push({ path, object });
    else unvouched.push(unvouchedFile(path, object));
  }
  const links: CatalogLink[] = [];
  for (const { path, object } of copies) {
    const alike = blobsByContent.get(contentKey(object)) ?? [];
    const [blob] = alike;
    if (object.etag !== '' && blob !== undefined && alike.length === 1) links.push(linkTo(path, blob));
    else if (blobSizes.has(object.size)) unplaced.push({ tree, path, object });
    else unvouched.push(unvouchedFile(path, object));
  }
  return { blobs, links, refs, unvouched };
}

/** The tree and path that a key has in a cache that was copied as it is. */
function placeOf(
  key: string,
  also: readonly TreeName[],
): { readonly tree: TreeName; readonly path: string } | undefined {
  const names = key.split('/');
  const repo = names.findIndex(isRepoFolder);
  const folder =
    repo >= 0
      ? names.slice(0, repo + 1).join('/')
      : [TORCH_CHECKPOINTS, ...also].find((name) => key.startsWith(`${name}/`));
  if (folder === undefined || folder.length + 1 >= key.length) return undefined;
  const tree = repo >= 0 ? treeOfRepoFolder(folder) : folder;
  return isAllowedTree(tree, also) ? { tree, path: key.slice(folder.length + 1) } : undefined;
}

function linkTo(path: string, blob: string): CatalogLink {
  return { path, target: linkTarget(path, blob), to: blob };
}

function unvouchedFile(path: string, object: ListedObject): CatalogFile {
  return { path, size: object.size, key: object.key, digests: undefined, executable: false };
}

function contentKey({ size, etag }: ListedObject): string {
  return `${size} ${etag}`;
}
