import { isCommit } from './digest.ts';
import type { Manifest, ManifestFile, NamedManifest } from './manifest.ts';
import { snapshotPath } from './paths.ts';
import type { TreeName } from './tree.ts';

/** What the manifests of one tree say together. */
export interface TreeView {
  readonly tree: TreeName;
  /** The highest generation seen; 0 when nothing was. */
  readonly generation: number;
  /** Names of the manifests that were merged. */
  readonly heads: readonly string[];
  readonly files: ReadonlyMap<string, ManifestFile>;
  /** Path → relative target. */
  readonly links: ReadonlyMap<string, string>;
  /** Path (`refs/main`) → content: a commit, and nothing else. huggingface_hub does not find a commit with a newline. */
  readonly refs: ReadonlyMap<string, string>;
  /** Commits that a ref has left; they are kept, and not restored. */
  readonly retired: ReadonlySet<string>;
}

/**
 * The manifests that no other supersedes. Who merged a manifest has a higher generation: what says otherwise is not
 * heeded, so that there is always a head.
 */
export function headsOf(manifests: readonly NamedManifest[]): readonly NamedManifest[] {
  const distinct = [...new Map(manifests.map((named) => [named.name, named])).values()];
  const superseded = new Map<string, number>();
  for (const { manifest } of distinct) {
    for (const name of manifest.supersedes)
      superseded.set(name, Math.max(manifest.generation, superseded.get(name) ?? 0));
  }
  return distinct.filter(({ name, manifest }) => (superseded.get(name) ?? 0) <= manifest.generation);
}

/**
 * One view of a tree from all its manifests. Where heads disagree, the higher generation decides, then the name.
 *
 * A ref moves from one commit to another only when the other has every path that the first has. Otherwise a README
 * edit on the Hub, followed by a kill before the weights were linked, would leave a ref without weights. A ref that
 * may not move stays, and both commits count as wanted.
 */
export function mergeTree(tree: TreeName, manifests: readonly NamedManifest[]): TreeView {
  const heads = headsOf(manifests).toSorted(byGenerationThenName);
  const files = new Map<string, ManifestFile>();
  const links = new Map<string, string>();
  for (const { manifest } of heads) {
    for (const file of manifest.files) {
      files.set(file.path, withKnownParts(file, files.get(file.path)));
      links.delete(file.path);
    }
    for (const { path, target } of manifest.links) {
      links.set(path, target);
      files.delete(path);
    }
  }
  const { refs, retired } = mergeRefs(heads, () => pathsByCommit([...files.keys(), ...links.keys()]));
  return {
    tree,
    generation: heads.reduce((highest, { manifest }) => Math.max(highest, manifest.generation), 0),
    heads: heads.map(({ name }) => name),
    files,
    links,
    refs,
    retired,
  };
}

/** The generation of the next manifest of a tree; where there is no higher one, the highest again. */
export function nextGeneration({ generation }: TreeView): number {
  return Math.min(generation + 1, Number.MAX_SAFE_INTEGER);
}

/** The manifest that says all of `view` and supersedes what it was merged from. */
export function manifestOf(view: TreeView, generation: number, supersedes: readonly string[]): Manifest {
  return {
    version: 1,
    tree: view.tree,
    generation,
    supersedes: [...supersedes],
    files: [...view.files.values()],
    links: Array.from(view.links, ([path, target]) => ({ path, target })),
    refs: Array.from(view.refs, ([path, content]) => ({ path, content })),
    retired: [...view.retired],
  };
}

/** The files of each snapshot, by commit. */
export function pathsByCommit(paths: Iterable<string>): ReadonlyMap<string, ReadonlySet<string>> {
  const byCommit = new Map<string, Set<string>>();
  for (const path of paths) {
    const snapshot = snapshotPath(path);
    if (snapshot === undefined) continue;
    const files = byCommit.get(snapshot.commit);
    if (files === undefined) byCommit.set(snapshot.commit, new Set([snapshot.file]));
    else files.add(snapshot.file);
  }
  return byCommit;
}

/** Whether a ref may move between two commits: the new one has files, and every file that the old one has. */
export function mayRefMove(
  from: ReadonlySet<string> | undefined,
  to: ReadonlySet<string> | undefined,
): boolean {
  if (to === undefined || to.size === 0) return false;
  return from === undefined || from.isSubsetOf(to);
}

function mergeRefs(
  heads: readonly NamedManifest[],
  readPaths: () => ReadonlyMap<string, ReadonlySet<string>>,
): { readonly refs: ReadonlyMap<string, string>; readonly retired: ReadonlySet<string> } {
  const refs = new Map<string, string>();
  const retired = new Set<string>();
  /** Ref → commits that it could not move to. */
  const waiting = new Map<string, Set<string>>();
  const mayMove = memoizedMoves(readPaths);
  for (const { manifest } of heads) {
    for (const commit of manifest.retired) retired.add(commit);
    const ofCommits = manifest.refs.filter(({ content }) => isCommit(content));
    for (const [path, to] of new Map(ofCommits.map(({ path, content }) => [path, content]))) {
      const from = refs.get(path);
      if (from === undefined) refs.set(path, to);
      else if (from !== to) {
        const passed = waiting.get(path) ?? new Set();
        if (mayMove(from, to)) {
          refs.set(path, to);
          const left = [from, ...passed].filter((commit) => mayMove(commit, to));
          for (const commit of left) {
            retired.add(commit);
            passed.delete(commit);
          }
        } else waiting.set(path, passed.add(to));
      }
    }
  }
  const wanted = [...refs.values(), ...Array.from(waiting.values(), (commits) => Array.from(commits)).flat()];
  for (const commit of wanted) retired.delete(commit);
  return { refs, retired };
}

/** `mayRefMove` between commits: many refs move between the same few, and each may have many files. */
function memoizedMoves(
  readPaths: () => ReadonlyMap<string, ReadonlySet<string>>,
): (from: string, to: string) => boolean {
  let paths: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  const known = new Map<string, boolean>();
  return (from, to) => {
    const move = `${from} ${to}`;
    paths ??= readPaths();
    const may = known.get(move) ?? mayRefMove(paths.get(from), paths.get(to));
    known.set(move, may);
    return may;
  };
}

/** A writer that does not know the parts of a file says nothing of them; what another has said of the same bytes stays. */
function withKnownParts(file: ManifestFile, before: ManifestFile | undefined): ManifestFile {
  const isSame = before?.sha256 === file.sha256 && before.size === file.size;
  return isSame && file.parts === undefined && before.parts !== undefined
    ? { ...file, parts: before.parts }
    : file;
}

function byGenerationThenName(a: NamedManifest, b: NamedManifest): number {
  return a.manifest.generation - b.manifest.generation || (a.name < b.name ? -1 : 1);
}
