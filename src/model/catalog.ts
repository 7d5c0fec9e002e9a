import { objectKey } from './bucket.ts';
import type { Digests } from './digest.ts';
import { commitOfRef, pathsByCommit, type TreeView } from './merge.ts';
import { resolveLink } from './paths.ts';
import { isRepoTree, mayHoldBytes, roleOf, type TreeName } from './tree.ts';

/** What the store holds, ready to be planned with: every path in it is safe to write below the cache dir. */
export interface Catalog {
  readonly source: 'manifests' | 'listing' | 'nothing';
  readonly trees: readonly CatalogTree[];
}

export interface CatalogTree {
  readonly tree: TreeName;
  readonly files: readonly CatalogFile[];
  readonly links: readonly CatalogLink[];
  readonly refs: readonly CatalogRef[];
  readonly retired: ReadonlySet<string>;
  /** What stays in the bucket because of what it is. */
  readonly refused: readonly { readonly path: string; readonly reason: 'unsafe-path' | 'unverified' }[];
}

export interface CatalogFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly key: string;
  /** What the content is checked against; undefined only with --accept-unverified. */
  readonly digests: Digests | undefined;
  readonly executable: boolean;
}

export interface CatalogLink {
  readonly path: string;
  readonly target: string;
  /** Where the link leads, in the same tree. */
  readonly to: string;
}

export interface CatalogRef {
  readonly path: string;
  readonly content: string;
}

/** One tree of the catalog from what its manifests say. Nothing of a bucket is believed about where it may be written. */
export function catalogTree(view: TreeView): CatalogTree {
  const refused: { path: string; reason: 'unsafe-path' }[] = [];
  const files: CatalogFile[] = [];
  for (const file of view.files.values()) {
    if (mayHoldBytes(view.tree, file.path)) files.push(catalogFile(view.tree, file));
    else refused.push({ path: file.path, reason: 'unsafe-path' });
  }
  const folders = foldersOf(files.map(({ path }) => path));
  const names = new Set(files.map(({ path }) => path));
  const links: CatalogLink[] = [];
  for (const [path, target] of view.links) {
    const to = linkDestination(view.tree, path, target);
    if (to !== undefined && !folders.has(path) && !hasFileAbove(path, names))
      links.push({ path, target, to });
    else refused.push({ path, reason: 'unsafe-path' });
  }
  const aboveLinks = new Set(links.map(({ path }) => path));
  const safeFiles = files.filter(({ path }) => {
    const safe = !hasFileAbove(path, aboveLinks) && !hasFileAbove(path, names);
    if (!safe) refused.push({ path, reason: 'unsafe-path' });
    return safe;
  });
  const safeLinks = links.filter(({ path }) => {
    const safe = !hasFileAbove(path, aboveLinks);
    if (!safe) refused.push({ path, reason: 'unsafe-path' });
    return safe;
  });
  const refs: CatalogRef[] = [];
  for (const [path, content] of view.refs) {
    if (roleOf(view.tree, path)?.role === 'ref') refs.push({ path, content });
    else refused.push({ path, reason: 'unsafe-path' });
  }
  return { tree: view.tree, files: safeFiles, links: safeLinks, refs, retired: view.retired, refused };
}

/** The commits whose files are wanted: those that refs point to, and those that no ref has left. */
export function currentCommits(tree: CatalogTree): ReadonlySet<string> {
  const commits = new Set(pathsByCommit([...tree.files, ...tree.links].map(({ path }) => path)).keys());
  const referenced = new Set(tree.refs.map(({ content }) => commitOfRef(content)));
  return new Set([...commits].filter((commit) => referenced.has(commit) || !tree.retired.has(commit)));
}

function catalogFile(
  tree: TreeName,
  file: Parameters<typeof objectKey>[1] & {
    size: number;
    gitSha1?: string | undefined;
    executable?: boolean | undefined;
  },
): CatalogFile {
  const role = roleOf(tree, file.path);
  const byName = role?.role === 'blob' ? role.digests : {};
  return {
    path: file.path,
    size: file.size,
    key: objectKey(tree, file),
    digests: {
      sha256: file.sha256,
      ...(file.gitSha1 === undefined ? {} : { gitSha1: file.gitSha1 }),
      ...byName,
    },
    executable: file.executable === true,
  };
}

/** Links of a repo lead from `snapshots/` to `blobs/`; links of a folder stay in the folder. Anything else is refused. */
function linkDestination(tree: TreeName, path: string, target: string): string | undefined {
  const from = roleOf(tree, path)?.role;
  const to = resolveLink(path, target);
  if (to === undefined) return undefined;
  const destination = roleOf(tree, to)?.role;
  const allowed = isRepoTree(tree)
    ? from === 'snapshot' && destination === 'blob'
    : from === 'file' && destination === 'file';
  return allowed ? to : undefined;
}

function foldersOf(paths: readonly string[]): ReadonlySet<string> {
  return new Set(paths.flatMap(ancestors));
}

function hasFileAbove(path: string, names: ReadonlySet<string>): boolean {
  return ancestors(path).some((folder) => names.has(folder));
}

function ancestors(path: string): readonly string[] {
  const names = path.split('/');
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'));
}
