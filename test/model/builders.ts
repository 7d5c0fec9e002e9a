import { createHash } from 'node:crypto';
import { objectKey, type Listing } from '../../src/model/bucket.ts';
import { catalogTree, type Catalog } from '../../src/model/catalog.ts';
import type { Inventory, LocalFile, LocalLink, LocalTree } from '../../src/model/inventory.ts';
import { serializeManifest, type ManifestFile, type NamedManifest } from '../../src/model/manifest.ts';
import { mergeTree, type TreeView } from '../../src/model/merge.ts';
import { linkTarget, resolveLink } from '../../src/model/paths.ts';
import type { Reason, RestorePlan } from '../../src/model/plan.ts';
import { parseModelSpec, type Selection } from '../../src/model/selection.ts';
import { TORCH_CHECKPOINTS, type TreeName } from '../../src/model/tree.ts';

export const REPO: TreeName = 'hub/models--org--model';
export const TORCH = TORCH_CHECKPOINTS;

/** Commits, in the order in which the Hub had them. */
export const A = 'a'.repeat(40);
export const B = 'b'.repeat(40);
export const C = 'c'.repeat(40);

export const ROOM = { freeBytes: Number.POSITIVE_INFINITY };
export const EVERYTHING: Selection = { models: [], exclude: [] };

export function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

export function gitSha1(content: string): string {
  return createHash('sha1')
    .update(`blob ${Buffer.byteLength(content)}\0${content}`)
    .digest('hex');
}

/** A blob as the Hub names large files. */
export function lfsBlob(content: string): ManifestFile {
  return plainFile(`blobs/${sha256(content)}`, content);
}

/** A blob as the Hub names small files. */
export function gitBlob(content: string): ManifestFile {
  return { ...plainFile(`blobs/${gitSha1(content)}`, content), gitSha1: gitSha1(content) };
}

export function plainFile(path: string, content: string): ManifestFile {
  return { path, size: Buffer.byteLength(content), sha256: sha256(content) };
}

/** `snapshots/<commit>/<file>` */
export function inSnapshot(commit: string, file: string): string {
  return `snapshots/${commit}/${file}`;
}

export interface Contents {
  readonly tree?: TreeName;
  /** Commit → file → content: each is a blob, and a link that leads to it. */
  readonly snapshots?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly files?: readonly ManifestFile[];
  /** Path → target. */
  readonly links?: Readonly<Record<string, string>>;
  /** Name below `refs/` → content. */
  readonly refs?: Readonly<Record<string, string>>;
  readonly retired?: readonly string[];
}

export interface ManifestContents extends Contents {
  readonly generation?: number;
  readonly supersedes?: readonly NamedManifest[];
}

export function manifest(contents: ManifestContents): NamedManifest {
  const { tree, files, links, refs } = spread(contents);
  const value = {
    version: 1 as const,
    tree,
    generation: contents.generation ?? 1,
    supersedes: (contents.supersedes ?? []).map(({ name }) => name),
    files: [...files],
    links: [...links].map(([path, target]) => ({ path, target })),
    refs: [...refs].map(([path, content]) => ({ path, content })),
    retired: [...(contents.retired ?? [])],
  };
  return { name: serializeManifest(value).name, manifest: value };
}

/** What a bucket with one manifest says. */
export function view(contents: ManifestContents): TreeView {
  return mergeTree(contents.tree ?? REPO, [manifest(contents)]);
}

/** A view in an order of its own, for comparing what it says. */
export function said(of: TreeView): unknown {
  return {
    files: sorted(of.files),
    links: sorted(of.links),
    refs: sorted(of.refs),
    retired: [...of.retired].toSorted(),
  };
}

export function catalog(...trees: readonly Contents[]): Catalog {
  return { source: 'manifests', trees: trees.map((contents) => catalogTree(view(contents))) };
}

/** The same contents on this disk, every file hashed already. */
export function local(contents: Contents): LocalTree {
  const { tree, files, links, refs } = spread(contents);
  return {
    tree,
    root: tree,
    files: new Map(files.map((file) => [file.path, localFile(file)])),
    links: new Map(Array.from(links, ([path, target]) => [path, localLink(path, target)])),
    refs,
  };
}

export function localFile({ path, size, executable, ...digests }: ManifestFile): LocalFile {
  const { sha256, gitSha1 } = digests;
  return {
    path,
    size,
    executable: executable === true,
    identity: `${path} ${size} ${sha256}`,
    digests: gitSha1 === undefined ? { sha256 } : { sha256, gitSha1 },
  };
}

/** A tree in which one file is other than it was. */
export function withFile(tree: LocalTree, path: string, change: Partial<LocalFile>): LocalTree {
  const file = tree.files.get(path);
  if (file === undefined) throw new Error(`no ${path} to change`);
  return { ...tree, files: new Map([...tree.files, [path, { ...file, ...change }]]) };
}

export function inventory(...trees: readonly LocalTree[]): Inventory {
  return { dir: '/cache', trees, skipped: [], foreign: [], stores: [] };
}

/** A bucket that holds the bytes of these contents, and nothing else. */
export function listing(...trees: readonly Contents[]): Listing {
  return new Map(
    trees.map(spread).flatMap(({ tree, files }) => files.map((file) => [objectKey(tree, file), file.size])),
  );
}

export function manifestFiles(contents: Contents): readonly ManifestFile[] {
  return spread(contents).files;
}

export function selection(models: readonly string[], exclude: readonly string[] = []): Selection {
  return { models: models.map(parseModelSpec), exclude };
}

export function reasons(plan: RestorePlan): Readonly<Record<string, Reason>> {
  return Object.fromEntries(plan.items.map(({ path, reason }) => [path, reason]));
}

/** Numbers from 0 to 1 (mulberry32): the same ones for the same seed. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffled<T>(items: readonly T[], next: () => number): readonly T[] {
  return items
    .map((item) => ({ item, place: next() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

function spread(contents: Contents): {
  readonly tree: TreeName;
  readonly files: readonly ManifestFile[];
  readonly links: ReadonlyMap<string, string>;
  readonly refs: ReadonlyMap<string, string>;
} {
  const copies = Object.entries(contents.snapshots ?? {}).flatMap(([commit, files]) =>
    Object.entries(files).map(([file, content]) => ({
      path: inSnapshot(commit, file),
      blob: lfsBlob(content),
    })),
  );
  const files = new Map([...copies.map(({ blob }) => blob), ...(contents.files ?? [])].map(byPath));
  return {
    tree: contents.tree ?? REPO,
    files: [...files.values()],
    links: new Map([
      ...copies.map(({ path, blob }) => [path, linkTarget(path, blob.path)] as const),
      ...Object.entries(contents.links ?? {}),
    ]),
    refs: new Map(Object.entries(contents.refs ?? {}).map(([name, content]) => [`refs/${name}`, content])),
  };
}

function byPath(file: ManifestFile): readonly [string, ManifestFile] {
  return [file.path, file];
}

function localLink(path: string, target: string): LocalLink {
  return { path, target, to: resolveLink(path, target) };
}

function sorted<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
}
