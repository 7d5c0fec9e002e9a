import { bytesShort, type Budget } from './budget.ts';
import {
  currentCommits,
  type Catalog,
  type CatalogFile,
  type CatalogLink,
  type CatalogTree,
} from './catalog.ts';
import { countOf, type Count } from './count.ts';
import { digestsAgree, firstMismatch, isCommit } from './digest.ts';
import { localTree, type Inventory, type LocalContent, type LocalFile, type LocalTree } from './inventory.ts';
import { mayRefMove, pathsByCommit } from './merge.ts';
import { snapshotPath } from './paths.ts';
import { wishesFor, type Selection, type TreeWishes, type Wish } from './selection.ts';
import { isRepo, isRepoTree, type TreeName } from './tree.ts';

/** Why an item is fetched or left. */
export type Reason =
  | 'missing'
  | 'size-differs'
  | 'digest-differs'
  | 'present'
  | 'excluded'
  | 'not-selected'
  | 'old-revision'
  | 'no-space'
  | 'unsafe-path'
  | 'unverified';

/** The reasons for which bytes are fetched, or a link or ref is written. */
export type FetchReason = Extract<Reason, 'missing' | 'size-differs' | 'digest-differs'>;

export type PlanItem =
  | {
      readonly kind: 'file';
      readonly tree: TreeName;
      readonly path: string;
      readonly reason: Reason;
      readonly file: CatalogFile;
    }
  | {
      readonly kind: 'link';
      readonly tree: TreeName;
      readonly path: string;
      readonly reason: Reason;
      readonly link: CatalogLink;
    }
  | {
      readonly kind: 'ref';
      readonly tree: TreeName;
      readonly path: string;
      readonly reason: Reason;
      readonly content: string;
      /** What this disk has there. */
      readonly found: string | null;
    }
  | { readonly kind: 'refused'; readonly tree: TreeName; readonly path: string; readonly reason: Reason };

export type FileItem = Extract<PlanItem, { kind: 'file' }>;

/** A plain value: `--dry-run` prints what the executor would run. */
export interface RestorePlan {
  readonly version: 1;
  readonly dir: string;
  readonly source: Catalog['source'];
  readonly items: readonly PlanItem[];
  /** Where each tree is on this disk, below the dir, when not under its own name. */
  readonly roots: Readonly<Record<TreeName, string>>;
  readonly fetch: Count;
  readonly present: Count;
  /** Bytes that the disk lacks; above 0, nothing is fetched. */
  readonly bytesShort: number;
  /** `--model`s that nothing in the bucket answers to. */
  readonly unmatched: readonly string[];
  /** Locked trees that the store does not give. */
  readonly withheld: readonly TreeName[];
}

/**
 * Decides what a restore does. A blob is wanted when a wanted path of a snapshot leads to it, or when no path does;
 * a link when its path is wanted; a ref when one of its commit's paths is, and all that is wanted of it can be had.
 */
export function planRestore(
  catalog: Catalog,
  inventory: Inventory,
  selection: Selection,
  budget: Budget,
): RestorePlan {
  const matched = new Set<string>();
  const { withheld = [], source } = catalog;
  const planned = catalog.trees.flatMap((tree) =>
    planTree(tree, localTree(inventory, tree.tree), selection, matched),
  );
  const wanted = source === 'lock' ? planned.map(bindRef) : planned;
  const short = bytesShort(count(wanted.filter(isFileToFetch)).bytes, budget);
  const items = short === 0 ? wanted : withoutSpace(wanted);
  return {
    version: 1,
    dir: inventory.dir,
    source,
    items,
    roots: Object.fromEntries(
      inventory.trees.filter(({ tree, root }) => tree !== root).map(({ tree, root }) => [tree, root]),
    ),
    fetch: count(items.filter(isFileToFetch)),
    present: count(items.filter(isPresentFile)),
    bytesShort: short,
    unmatched: selection.models
      .filter(({ text, repo }) => !matched.has(text) && !withheld.some((tree) => isRepo(tree, repo)))
      .map(({ text }) => text),
    withheld,
  };
}

export function isFetchReason(reason: Reason): reason is FetchReason {
  return reason === 'missing' || reason === 'size-differs' || reason === 'digest-differs';
}

/** Whether this disk is as it would be after a restore. */
export function changesNothing({ items }: RestorePlan): boolean {
  return !items.some(({ reason }) => isFetchReason(reason));
}

/** The files of this disk whose content a plan depends on: same path and size as in the catalog. */
export function filesToProve(catalog: Catalog, inventory: Inventory): readonly LocalContent[] {
  return catalog.trees.flatMap(({ tree: name, files }) => {
    const tree = localTree(inventory, name);
    if (tree === undefined) return [];
    return files.flatMap(({ path, size }) => {
      const file = tree.files.get(path);
      return file?.size === size ? [{ tree, file }] : [];
    });
  });
}

function planTree(
  tree: CatalogTree,
  local: LocalTree | undefined,
  selection: Selection,
  matched: Set<string>,
): PlanItem[] {
  const wishes = wishesFor(tree, selection, currentCommits(tree));
  const linkWishes = tree.links.map((link) => ({ link, wish: wishForPath(wishes, tree.tree, link.path) }));
  const files = planFiles(tree, local, selection, wishes, strongestByBlob(linkWishes));
  const links = planLinks(tree, local, linkWishes);
  const selected = [...files, ...links]
    .filter(({ reason }) => isFetchReason(reason) || reason === 'present')
    .map(({ path }) => path);
  for (const path of selection.models.length === 0 ? [] : selected) {
    const snapshot = snapshotPath(path);
    if (snapshot === undefined) continue;
    for (const { text } of wishes.specsFor(snapshot.commit, snapshot.file)) matched.add(text);
  }
  const lost = [
    ...links.filter(({ reason }) => reason === 'unverified'),
    ...tree.refused.filter(
      ({ path, reason }) => reason === 'unverified' && wishForPath(wishes, tree.tree, path) === 'selected',
    ),
  ];
  const refs = planRefs(tree, local, pathsByCommit(selected), commitsOf(lost));
  const refused = tree.refused.map(({ path, reason }) => ({
    kind: 'refused' as const,
    tree: tree.tree,
    path,
    reason,
  }));
  return [...files, ...links, ...refs, ...refused];
}

function planFiles(
  tree: CatalogTree,
  local: LocalTree | undefined,
  selection: Selection,
  wishes: TreeWishes,
  wishOfBlob: ReadonlyMap<string, Wish>,
): PlanItem[] {
  return tree.files.map((file) => {
    const wish = wishOfBlob.get(file.path) ?? wishForFile(wishes, tree.tree, file.path, selection);
    const reason = wish === 'selected' ? reasonForFile(file, local?.files.get(file.path)) : wish;
    return { kind: 'file', tree: tree.tree, path: file.path, reason, file };
  });
}

function planLinks(
  tree: CatalogTree,
  local: LocalTree | undefined,
  links: readonly { readonly link: CatalogLink; readonly wish: Wish }[],
): PlanItem[] {
  const held = new Set(tree.files.map(({ path }) => path));
  return links.map(({ link, wish }) => {
    const reason = wish === 'selected' ? reasonForLink(link, local, held) : wish;
    return { kind: 'link', tree: tree.tree, path: link.path, reason, link };
  });
}

/** The commits that have any of these. */
function commitsOf(items: readonly { readonly path: string }[]): ReadonlySet<string> {
  return new Set(items.flatMap(({ path }) => snapshotPath(path)?.commit ?? []));
}

/** `broken` are the commits of which something that is wanted cannot be had. */
function planRefs(
  tree: CatalogTree,
  local: LocalTree | undefined,
  selected: ReadonlyMap<string, ReadonlySet<string>>,
  broken: ReadonlySet<string>,
): PlanItem[] {
  let files: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  const filesHere: FilesOfCommit = (commit) => (files ??= filesByCommit(local)).get(commit);
  return tree.refs.map(({ path, content }) => {
    const found = local?.refs.get(path) ?? null;
    const isWanted = selected.has(content) && !broken.has(content);
    const reason = isWanted ? reasonForRef(tree, content, found, selected, filesHere) : 'not-selected';
    return { kind: 'ref', tree: tree.tree, path, reason, content, found };
  });
}

function reasonForFile(wanted: CatalogFile, found: LocalFile | undefined): Reason {
  if (found === undefined) return 'missing';
  if (found.size !== wanted.size) return 'size-differs';
  if (wanted.digests === undefined) return 'present';
  if (found.digests !== undefined && digestsAgree(wanted.digests, found.digests)) return 'present';
  return firstMismatch(wanted.digests, found.digests ?? {}) === undefined ? 'missing' : 'digest-differs';
}

/** A link whose blob is neither in the catalog nor on this disk would dangle: it is left. */
function reasonForLink(link: CatalogLink, local: LocalTree | undefined, held: ReadonlySet<string>): Reason {
  if (!held.has(link.to) && local?.files.has(link.to) !== true) return 'unverified';
  const found = local?.links.get(link.path);
  return found?.to === link.to ? 'present' : 'missing';
}

/**
 * A ref that the server has moved on this disk stays, if its commit has all that the bucket's has; one that points to
 * a commit which the bucket's ref has left was not moved here.
 */
function reasonForRef(
  { retired }: CatalogTree,
  wanted: string,
  found: string | null,
  selected: ReadonlyMap<string, ReadonlySet<string>>,
  filesHere: FilesOfCommit,
): Reason {
  if (found === null) return 'missing';
  if (found === wanted) return 'present';
  const wasMovedHere = isCommit(found) && !retired.has(found);
  return wasMovedHere && mayRefMove(selected.get(wanted), filesHere(found)) ? 'present' : 'digest-differs';
}

type FilesOfCommit = (commit: string) => ReadonlySet<string> | undefined;

/** What of each commit is on this disk. Links that lead nowhere are not. */
function filesByCommit(local: LocalTree | undefined): ReadonlyMap<string, ReadonlySet<string>> {
  const leadSomewhere = Array.from(local?.links.values() ?? []).filter(
    ({ to }) => to !== undefined && local?.files.has(to),
  );
  const paths = [...(local?.files.keys() ?? []), ...leadSomewhere.map(({ path }) => path)];
  return pathsByCommit(paths);
}

/** A locked ref does not stay where the server has moved it: there would be no way back to an older one. */
function bindRef(item: PlanItem): PlanItem {
  const isElsewhere = item.kind === 'ref' && item.reason === 'present' && item.found !== item.content;
  return isElsewhere ? { ...item, reason: 'digest-differs' } : item;
}

function wishForPath(wishes: TreeWishes, tree: TreeName, path: string): Wish {
  const snapshot = isRepoTree(tree) ? snapshotPath(path) : undefined;
  return snapshot === undefined
    ? wishes.wishFor(undefined, path)
    : wishes.wishFor(snapshot.commit, snapshot.file);
}

/** A blob that no link leads to has no path to select it by: it comes only when everything does. */
function wishForFile(wishes: TreeWishes, tree: TreeName, path: string, selection: Selection): Wish {
  if (isRepoTree(tree) && snapshotPath(path) === undefined)
    return selection.models.length === 0 ? 'selected' : 'not-selected';
  return wishForPath(wishes, tree, path);
}

const STRENGTH: readonly Wish[] = ['old-revision', 'not-selected', 'excluded', 'selected'];

function strongestByBlob(
  links: readonly { readonly link: CatalogLink; readonly wish: Wish }[],
): ReadonlyMap<string, Wish> {
  const strongest = new Map<string, Wish>();
  for (const { link, wish } of links) {
    const before = strongest.get(link.to);
    if (before === undefined || STRENGTH.indexOf(wish) > STRENGTH.indexOf(before))
      strongest.set(link.to, wish);
  }
  return strongest;
}

function withoutSpace(items: readonly PlanItem[]): readonly PlanItem[] {
  return items.map((item) => (isFetchReason(item.reason) ? { ...item, reason: 'no-space' as const } : item));
}

export function isFileToFetch(item: PlanItem): item is FileItem {
  return item.kind === 'file' && isFetchReason(item.reason);
}

export function isPresentFile(item: PlanItem): item is FileItem {
  return item.kind === 'file' && item.reason === 'present';
}

function count(items: readonly FileItem[]): Count {
  return countOf(items.map(({ file }) => file));
}
