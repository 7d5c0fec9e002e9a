import { objectKey } from './bucket.ts';
import { isCommit, type Digests } from './digest.ts';
import type { ManifestFile } from './manifest.ts';
import type { TreeView } from './merge.ts';
import { misplacedPaths } from './nesting.ts';
import { linkTarget, resolveLink, shownPath, snapshotPath } from './paths.ts';
import { usableParts, type PartDigests } from './proof.ts';
import { isRepoTree, mayHoldBytes, roleOf, type TreeName } from './tree.ts';

/** What the store holds, ready to be planned with: every path in it is safe to write below the cache dir. */
export interface Catalog {
  /** `lock`: the manifests that a lock file names. */
  readonly source: 'manifests' | 'listing' | 'lock' | 'nothing';
  readonly trees: readonly CatalogTree[];
  /** Trees that a lock file names, and whose manifests the store does not give as they were. */
  readonly withheld?: readonly TreeName[];
  /** Folders in the store that no --also names: nobody has asked for them. */
  readonly unasked?: readonly TreeName[];
}

export interface CatalogTree {
  readonly tree: TreeName;
  readonly files: readonly CatalogFile[];
  readonly links: readonly CatalogLink[];
  readonly refs: readonly CatalogRef[];
  readonly retired: ReadonlySet<string>;
  /** What stays in the bucket because of what it is. */
  readonly refused: readonly RefusedPath[];
}

export interface CatalogFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly key: string;
  /** What the content is checked against; undefined only with --accept-unverified. */
  readonly digests: Digests | undefined;
  readonly executable: boolean;
  /** By which bytes that are wrong are found among those that are right. */
  readonly parts?: PartDigests;
}

export interface CatalogLink {
  readonly path: string;
  /** The shortest way to `to`: no folder or link on another way decides where it leads. */
  readonly target: string;
  /** Where the link leads, in the same tree. */
  readonly to: string;
}

interface CatalogRef {
  readonly path: string;
  /** A commit, and nothing else. */
  readonly content: string;
}

interface RefusedPath {
  readonly path: string;
  readonly reason: 'unsafe-path' | 'unverified';
}

/** A tree as a bucket describes it, before anything of it is believed. */
export interface ClaimedTree {
  readonly tree: TreeName;
  readonly files: readonly CatalogFile[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  readonly refs: readonly CatalogRef[];
  readonly retired: ReadonlySet<string>;
  readonly refused: readonly RefusedPath[];
}

/** One tree of the catalog from what its manifests say. */
export function catalogTree(view: TreeView): CatalogTree {
  return believableTree({
    tree: view.tree,
    files: Array.from(view.files.values(), (file) => catalogFile(view.tree, file)),
    links: Array.from(view.links, ([path, target]) => ({ path, target })),
    refs: Array.from(view.refs, ([path, content]) => ({ path, content })),
    retired: view.retired,
    refused: [],
  });
}

/** Keeps what may be written below the cache dir; the rest is refused by name. */
export function believableTree(claimed: ClaimedTree): CatalogTree {
  const { tree } = claimed;
  const refused = new Map<string, RefusedPath>(claimed.refused.map((entry) => [entry.path, entry]));
  const keepSafe = <T extends { readonly path: string }>(
    entries: readonly T[],
    isSafe: (entry: T) => boolean,
  ): T[] =>
    entries.filter((entry) => {
      const safe = isSafe(entry);
      if (!safe) refused.set(entry.path, { path: shownPath(entry.path), reason: 'unsafe-path' });
      return safe;
    });
  const files = keepSafe(claimed.files, ({ path }) => mayHoldBytes(tree, path));
  const destinations = claimed.links.map((link) => ({ ...link, to: linkDestination(tree, link) }));
  const links = keepSafe(destinations, ({ to }) => to !== undefined);
  const refs = keepSafe(
    claimed.refs,
    ({ path, content }) => roleOf(tree, path)?.role === 'ref' && isCommit(content),
  );
  const misplaced = misplacedPaths({ files: pathsOf(files), links: pathsOf(links), refs: pathsOf(refs) });
  const isPlaced = ({ path }: { readonly path: string }): boolean => !misplaced.has(path);
  return {
    tree,
    files: keepSafe(files, isPlaced),
    links: keepSafe(links, isPlaced).map(plainLink),
    refs: keepSafe(refs, isPlaced),
    retired: claimed.retired,
    refused: [...refused.values()],
  };
}

/** The commits whose files are wanted: those that refs point to, and those that no ref has left. */
export function currentCommits(tree: CatalogTree): ReadonlySet<string> {
  const referenced = new Set(tree.refs.map(({ content }) => content));
  const current = new Set<string>();
  for (const entries of [tree.files, tree.links]) {
    for (const { path } of entries) {
      const commit = snapshotPath(path)?.commit;
      if (commit !== undefined && (referenced.has(commit) || !tree.retired.has(commit))) current.add(commit);
    }
  }
  return current;
}

function catalogFile(tree: TreeName, file: ManifestFile): CatalogFile {
  const role = roleOf(tree, file.path);
  const byName = role?.role === 'blob' ? role.digests : {};
  const parts = usableParts(file.size, file.parts);
  const gitName = file.gitSha1 === undefined ? {} : { gitSha1: file.gitSha1 };
  return {
    path: file.path,
    size: file.size,
    key: objectKey(tree, file, role),
    digests: { sha256: file.sha256, ...gitName, ...byName },
    executable: file.executable === true,
    ...(parts === undefined ? {} : { parts }),
  };
}

/** Links of a repo lead from `snapshots/` to `blobs/`; links of a folder stay in the folder. */
function linkDestination(
  tree: TreeName,
  { path, target }: { readonly path: string; readonly target: string },
): string | undefined {
  const from = roleOf(tree, path)?.role;
  const to = resolveLink(path, target);
  const destination = to === undefined ? undefined : roleOf(tree, to)?.role;
  const wanted = isRepoTree(tree) ? { from: 'snapshot', to: 'blob' } : { from: 'file', to: 'file' };
  return from === wanted.from && destination === wanted.to ? to : undefined;
}

interface ClaimedLink {
  readonly path: string;
  readonly target: string;
  readonly to: string | undefined;
}

/** The text that is there already is kept, where it is the plain one: a manifest has as many as it has files. */
function plainLink({ path, target, to = '' }: ClaimedLink): CatalogLink {
  const plain = linkTarget(path, to);
  return { path, to, target: plain === target ? target : plain };
}

function pathsOf(entries: readonly { readonly path: string }[]): readonly string[] {
  return entries.map(({ path }) => path);
}
