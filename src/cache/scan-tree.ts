import { lstatSync, realpathSync, statSync, type BigIntStats } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { COMMIT_BYTES } from '../model/digest.ts';
import type { LocalFile, LocalLink, LocalTree } from '../model/inventory.ts';
import { isSafePath, resolveLink } from '../model/paths.ts';
import { isRepoTree, mayHoldBytes, roleOf, type TreeName } from '../model/tree.ts';
import { identityOf } from './digest.ts';
import type { Look } from './look.ts';
import type { createPace } from './pace.ts';
import { readRef } from './ref-file.ts';
import type { State } from './state.ts';

export interface TreeScanOptions {
  /** What was proved before. */
  readonly state: Pick<State, 'digestsOf'>;
  /** Read-only caches whose files blobs of this dir may link to. */
  readonly reuse: readonly string[];
  /** What must not be touched: a link that leads there counts for nothing. */
  readonly unreachable?: Pick<ReadonlySet<string>, 'has'>;
}

export const NO_OBJECT = 'no object can have such a name';
export const NO_TEXT = 'its name is not UTF-8';
export const A_LINK = 'it is a link; make it a folder';
const DEAD_VOLUME = 'it leads to a network volume that does not answer';

/** Of a repo, those that are read. */
const FOLDERS_OF_REPO = new Set(['blobs', 'snapshots', 'refs']);

interface FoundTree {
  readonly files: Map<string, LocalFile>;
  readonly links: Map<string, LocalLink>;
  readonly refs: Map<string, string>;
}

/** What single trees hold. Hashes nothing. */
export class TreeScan {
  readonly #look: Look;
  readonly #options: TreeScanOptions;
  readonly #trustedRoots: readonly string[];
  /** A folder below the dir that is left out. */
  readonly #store: string | undefined;
  readonly #pace: ReturnType<typeof createPace>;

  constructor(
    look: Look,
    options: TreeScanOptions,
    store: string | undefined,
    pace: ReturnType<typeof createPace>,
  ) {
    this.#look = look;
    this.#options = options;
    this.#trustedRoots = options.reuse.flatMap(realPath);
    this.#store = store;
    this.#pace = pace;
  }

  /** `root` is where the tree lies below the dir. */
  async scan(tree: TreeName, root: string): Promise<LocalTree> {
    const found: FoundTree = { files: new Map(), links: new Map(), refs: new Map() };
    await this.#fill(tree, root, '', found);
    for (const link of found.links.values()) this.#judgeLink(root, link, found);
    return { tree, root, ...found };
  }

  /** Of a link that leads out of where it lies, it is told `why`, unless it leads into a cache that is reused. */
  judgeLinkAway(place: string, why: string): void {
    const absolute = join(this.#look.dir, place);
    if (this.#isUnreachable(absolute)) this.#look.skip(place, DEAD_VOLUME);
    else if (!leadsTo(this.#trustedRoots, absolute)) this.#look.skip(place, why);
  }

  async #fill(tree: TreeName, root: string, folder: string, found: FoundTree): Promise<void> {
    for (const entry of await this.#look.entries(join(root, folder))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const turn = this.#pace();
      if (turn !== undefined) await turn;
      const role = roleOf(tree, path)?.role;
      const isLink = entry.isSymbolicLink();
      if (entry.isDirectory() && join(root, path) === this.#store) continue;
      if (this.#look.hasNoText(`${root}/${path}`)) {
        if (role !== undefined) this.#look.skip(join(root, path), NO_TEXT);
      } else if (entry.isDirectory()) await this.#fill(tree, root, path, found);
      else if (role === 'ref') this.#addRef(root, path, found);
      else if (isLink && (role === 'snapshot' || role === 'file')) this.#addLink(root, path, found);
      else if (isLink && isRepoTree(tree) && FOLDERS_OF_REPO.has(path))
        this.#look.skip(join(root, path), A_LINK);
      else if (role === undefined && !isSafePath(path)) this.#look.skip(join(root, path), NO_OBJECT);
      else if (mayHoldBytes(tree, path, role)) this.#addFile(root, path, isLink, found);
    }
  }

  #addFile(root: string, path: string, isLink: boolean, found: FoundTree): void {
    const place = `${root}/${path}`;
    const absolute = `${this.#look.dir}/${place}`;
    if (isLink && this.#isUnreachable(absolute)) {
      this.#look.skip(place, DEAD_VOLUME);
      return;
    }
    const stats = this.#look.at(place, (): BigIntStats =>
      (isLink ? statSync : lstatSync)(absolute, { bigint: true }),
    );
    if (stats?.isFile() !== true) return;
    if (isLink && !this.#leadsToTrusted(absolute)) {
      this.#look.skip(place, 'it is a link to a place outside the cache (--reuse names one)');
      return;
    }
    const identity = identityOf(stats);
    found.files.set(path, {
      path,
      size: Number(stats.size),
      executable: (stats.mode & 0o111n) !== 0n,
      identity,
      digests: this.#options.state.digestsOf(place, identity),
    });
  }

  #addLink(root: string, path: string, found: FoundTree): void {
    const target = this.#look.targetOf(`${root}/${path}`);
    if (target === undefined) return;
    found.links.set(path, { path, target, to: this.#destination(root, path, target) });
  }

  #addRef(root: string, path: string, found: FoundTree): void {
    const absolute = join(this.#look.dir, root, path);
    const stats = this.#look.at(join(root, path), () => lstatSync(absolute));
    if (stats?.isFile() !== true || stats.size !== COMMIT_BYTES) return;
    const commit = readRef(absolute);
    if (commit !== undefined) found.refs.set(path, commit);
  }

  /** A manifest has links to files of their own tree. One that leads nowhere is none yet, or not any more. */
  #judgeLink(root: string, { path, to }: LocalLink, { files, links }: FoundTree): void {
    const place = `${root}/${path}`;
    if (to === undefined) this.judgeLinkAway(place, 'it is a link that leads out of its model or folder');
    else if (links.has(to)) this.#look.skip(place, 'it is a link to another link');
    else if (!files.has(to) && this.#look.isFolder(join(root, to)))
      this.#look.skip(place, 'it is a link to a folder');
  }

  /** huggingface_hub writes an absolute link where it cannot write a relative one. */
  #destination(root: string, path: string, target: string): string | undefined {
    if (!isAbsolute(target)) return resolveLink(path, target);
    const inside = relative(join(this.#look.dir, root), target).split(sep).join('/');
    return inside.startsWith('..') ? undefined : resolveLink('', inside);
  }

  /** A blob may be a link into the shared store of its own cache root, or into a reused cache. */
  #leadsToTrusted(path: string): boolean {
    const sharedStore = join(path, '..', '..', '..', 'blobs');
    return leadsTo([...realFolder(sharedStore), ...this.#trustedRoots], path);
  }

  #isUnreachable(path: string): boolean {
    return this.#options.unreachable?.has(path) === true;
  }
}

/** A link is followed only where it may lead to one of them: it may take for ever. */
function leadsTo(roots: readonly string[], path: string): boolean {
  if (roots.length === 0) return false;
  return realPath(path).some((real) => roots.some((root) => real.startsWith(`${root}${sep}`)));
}

/** Where a link leads to, nothing of the cache lies. */
function realFolder(path: string): readonly string[] {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? realPath(path) : [];
}

function realPath(path: string): readonly string[] {
  try {
    return [realpathSync(path)];
  } catch {
    return [];
  }
}
