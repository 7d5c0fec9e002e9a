import { lstatSync, readlinkSync, realpathSync, statSync, type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { hasErrno } from '../errors.ts';
import { FORMAT_KEY } from '../model/bucket.ts';
import { COMMIT_BYTES } from '../model/digest.ts';
import type { ForeignEntry, Inventory, LocalFile, LocalLink, LocalTree } from '../model/inventory.ts';
import { isSafePath, resolveLink } from '../model/paths.ts';
import {
  isAllowedTree,
  isMarker,
  isOffLimits,
  isRepoFolder,
  isRepoTree,
  isSecretName,
  isUnfinishedName,
  mayHoldBytes,
  roleOf,
  TORCH_CHECKPOINTS,
  treeOfRepoFolder,
  type TreeName,
} from '../model/tree.ts';
import { identityOf } from './digest.ts';
import { createPace } from './pace.ts';
import { readRef } from './ref-file.ts';
import type { State } from './state.ts';

export interface ScanOptions {
  readonly also: readonly TreeName[];
  /** What was proved before. */
  readonly state: Pick<State, 'digestsOf'>;
  /** Read-only caches whose files blobs of this dir may link to. */
  readonly reuse: readonly string[];
  /** The folder that is the store, absolute: what lies there is in the bucket, and not in the cache. */
  readonly store?: string | undefined;
  /** What must not be touched: a link that leads there counts for nothing. */
  readonly unreachable?: Pick<ReadonlySet<string>, 'has'>;
}

const [STORES] = FORMAT_KEY.split('/');
const NO_OBJECT = 'no object can have such a name';
/** Those that are read. */
const FOLDERS_OF_REPO = new Set(['blobs', 'snapshots', 'refs']);
const NO_TEXT = 'its name is not UTF-8';
const MAY_NOT_READ = 'this user may not read it';
const A_LINK = 'it is a link; make it a folder';
const DEAD_VOLUME = 'it leads to a network volume that does not answer';
/** What Node reads in place of bytes that are not UTF-8. */
const REPLACEMENT = '\u{fffd}';

/** What a dir holds: repos by their shape wherever they are, torch's checkpoints, `--also` folders. Hashes nothing. */
export async function scanCache(dir: string, options: ScanOptions): Promise<Inventory> {
  return new Scan(dir, options).run();
}

class Scan {
  readonly #dir: string;
  readonly #options: ScanOptions;
  readonly #trustedRoots: readonly string[];
  /** Below the dir, if the store is. */
  readonly #store: string | undefined;
  readonly #trees = new Map<TreeName, LocalTree>();
  /** Path → why. */
  readonly #skipped = new Map<string, string>();
  readonly #foreign = new Map<string, ForeignEntry>();
  readonly #pace = createPace();

  constructor(dir: string, options: ScanOptions) {
    this.#dir = dir;
    this.#options = options;
    this.#trustedRoots = options.reuse.flatMap(realPath);
    this.#store = options.store && relative(dir, options.store);
  }

  async run(): Promise<Inventory> {
    await this.#walk('');
    return {
      dir: this.#dir,
      trees: [...this.#trees.values()],
      skipped: Array.from(this.#skipped, ([path, why]) => ({ path, why })),
      foreign: [...this.#foreign.values()],
    };
  }

  async #walk(folder: string): Promise<void> {
    const entries = await this.#entries(folder);
    if (folder !== '' && entries.some(({ name }) => name === STORES) && this.#isStore(folder)) return;
    for (const entry of entries) {
      const path = join(folder, entry.name);
      await this.#pace();
      if (entry.isDirectory()) await this.#walkFolder(path, entry.name);
      else if (entry.isSymbolicLink()) this.#skipLink(path, entry.name);
      else if (entry.isFile() && isWorthTelling(entry.name)) this.#countForeign(path);
    }
  }

  async #walkFolder(path: string, name: string): Promise<void> {
    if (path === this.#store) return;
    const { also } = this.#options;
    const depth = path.split(sep).length - 1;
    const isNamedAsRepo = isRepoFolder(name);
    const isWhatItsNameSays = !isNamedAsRepo || (await this.#looksLikeRepo(path));
    const tree = isNamedAsRepo ? treeOfRepoFolder(path) : path;
    if (isWhatItsNameSays && isAllowedTree(tree, also)) await this.#addTree(tree, path);
    else if (isNamedAsRepo && isWhatItsNameSays && !isSafePath(path)) this.#skipped.set(path, NO_OBJECT);
    else if (isNamedAsRepo && this.#hasNoText(path)) this.#skipped.set(path, NO_TEXT);
    else if (!isOffLimits(name, depth)) await this.#walk(path);
  }

  /** A link in the place of a tree, or of a folder that would hold one. What lies in the dir itself is found where it is. */
  #skipLink(path: string, name: string): void {
    const trees = [TORCH_CHECKPOINTS, ...this.#options.also];
    const leadsToTree = trees.some((tree) => tree === path || tree.startsWith(`${path}/`));
    if (path === 'hub')
      this.#skipped.set(path, 'it is a link; name the folder it leads to with --reuse, or make it a folder');
    else if (leadsToTree) this.#skipped.set(path, A_LINK);
    else if (isRepoFolder(name) && !this.#leadsIntoDir(path)) this.#skipped.set(path, A_LINK);
  }

  /** By its text: to follow it may take for ever. */
  #leadsIntoDir(path: string): boolean {
    const target = this.#targetOf(path);
    return target !== undefined && resolve(this.#dir, path, '..', target).startsWith(`${this.#dir}${sep}`);
  }

  /** Another one than this run's, or that one by a detour. */
  #isStore(folder: string): boolean {
    const layout = join(this.#dir, folder, FORMAT_KEY);
    return this.#tolerateVanished(() => lstatSync(layout)) !== undefined;
  }

  async #looksLikeRepo(path: string): Promise<boolean> {
    const entries = await this.#entries(path);
    return entries.some(
      (entry) => entry.isDirectory() && (entry.name === 'snapshots' || entry.name === 'blobs'),
    );
  }

  async #addTree(tree: TreeName, root: string): Promise<void> {
    const isSecondCopy = this.#trees.has(tree) && root !== tree;
    if (isSecondCopy) return;
    const found = {
      files: new Map<string, LocalFile>(),
      links: new Map<string, LocalLink>(),
      refs: new Map<string, string>(),
    };
    await this.#fillTree(tree, root, '', found);
    for (const link of found.links.values()) this.#judgeLink(root, link, found);
    this.#trees.set(tree, { tree, root, ...found });
  }

  async #fillTree(tree: TreeName, root: string, folder: string, found: FoundTree): Promise<void> {
    for (const entry of await this.#entries(join(root, folder))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const turn = this.#pace();
      if (turn !== undefined) await turn;
      const role = roleOf(tree, path)?.role;
      if (entry.isDirectory() && join(root, path) === this.#store) continue;
      if (entry.name.includes(REPLACEMENT) && this.#hasNoText(join(root, path))) {
        if (role !== undefined) this.#skipped.set(join(root, path), NO_TEXT);
        continue;
      }
      if (entry.isDirectory()) await this.#fillTree(tree, root, path, found);
      else if (role === 'ref') this.#addRef(root, path, found);
      else if (entry.isSymbolicLink() && (role === 'snapshot' || role === 'file'))
        this.#addLink(root, path, found);
      else if (entry.isSymbolicLink() && isRepoTree(tree) && FOLDERS_OF_REPO.has(path))
        this.#skipped.set(join(root, path), A_LINK);
      else if (role === undefined && !isSafePath(path)) this.#skipped.set(join(root, path), NO_OBJECT);
      else if (mayHoldBytes(tree, path, role)) this.#addFile(root, path, entry.isSymbolicLink(), found);
    }
  }

  #addFile(root: string, path: string, isLink: boolean, found: FoundTree): void {
    const absolute = `${this.#dir}/${root}/${path}`;
    if (isLink && this.#options.unreachable?.has(absolute) === true) {
      this.#skipped.set(join(root, path), DEAD_VOLUME);
      return;
    }
    const stats = this.#look(join(root, path), () =>
      (isLink ? statSync : lstatSync)(absolute, { bigint: true }),
    );
    if (stats?.isFile() !== true) return;
    if (isLink && !this.#leadsToTrusted(absolute)) {
      this.#skipped.set(join(root, path), 'it is a link to a place outside the cache (--reuse names one)');
      return;
    }
    const identity = identityOf(stats);
    found.files.set(path, {
      path,
      size: Number(stats.size),
      executable: (stats.mode & 0o111n) !== 0n,
      identity,
      digests: this.#options.state.digestsOf(`${root}/${path}`, identity),
    });
  }

  #addLink(root: string, path: string, found: FoundTree): void {
    const target = this.#targetOf(join(root, path));
    if (target === undefined) return;
    found.links.set(path, { path, target, to: this.#destination(root, path, target) });
  }

  #targetOf(path: string): string | undefined {
    return this.#look(path, () => readlinkSync(join(this.#dir, path)));
  }

  /** A manifest has links to files of their own tree. One that leads nowhere is none yet, or not any more. */
  #judgeLink(root: string, { path, to }: LocalLink, { files, links }: FoundTree): void {
    const place = join(root, path);
    if (to === undefined) {
      const absolute = join(this.#dir, place);
      if (this.#options.unreachable?.has(absolute) === true) this.#skipped.set(place, DEAD_VOLUME);
      else if (!this.#leadsTo(this.#trustedRoots, absolute))
        this.#skipped.set(place, 'it is a link that leads out of its model or folder');
    } else if (links.has(to)) this.#skipped.set(place, 'it is a link to another link');
    else if (!files.has(to) && this.#isFolder(join(root, to)))
      this.#skipped.set(place, 'it is a link to a folder');
  }

  #isFolder(path: string): boolean {
    return this.#look(path, () => lstatSync(join(this.#dir, path)).isDirectory()) === true;
  }

  /** huggingface_hub writes an absolute link where it cannot write a relative one. */
  #destination(root: string, path: string, target: string): string | undefined {
    if (!isAbsolute(target)) return resolveLink(path, target);
    const inside = relative(join(this.#dir, root), target).split(sep).join('/');
    return inside.startsWith('..') ? undefined : resolveLink('', inside);
  }

  #addRef(root: string, path: string, found: FoundTree): void {
    const absolute = join(this.#dir, root, path);
    const stats = this.#look(join(root, path), () => lstatSync(absolute));
    if (stats?.isFile() !== true || stats.size !== COMMIT_BYTES) return;
    const commit = readRef(absolute);
    if (commit !== undefined) found.refs.set(path, commit);
  }

  /** A blob may be a link into the shared store of its own cache root, or into a reused cache. */
  #leadsToTrusted(path: string): boolean {
    const sharedStore = join(path, '..', '..', '..', 'blobs');
    return this.#leadsTo([...realFolder(sharedStore), ...this.#trustedRoots], path);
  }

  #leadsTo(roots: readonly string[], path: string): boolean {
    return realPath(path).some((real) => roots.some((root) => real.startsWith(`${root}${sep}`)));
  }

  #countForeign(path: string): void {
    const top = path.split(sep)[0] ?? path;
    const before = this.#foreign.get(top) ?? { path: top, files: 0, bytes: 0 };
    const size = this.#tolerateVanished(() => lstatSync(join(this.#dir, path)).size) ?? 0;
    this.#foreign.set(top, { path: top, files: before.files + 1, bytes: before.bytes + size });
  }

  async #entries(folder: string): Promise<readonly Dirent[]> {
    try {
      return await readdir(join(this.#dir, folder), { withFileTypes: true });
    } catch (error) {
      if (hasErrno(error, 'EACCES')) this.#skipped.set(folder === '' ? '.' : folder, MAY_NOT_READ);
      else if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      return [];
    }
  }

  /** Whether a path as Node reads it leads to nothing. */
  #hasNoText(path: string): boolean {
    if (!path.includes(REPLACEMENT)) return false;
    return this.#tolerateVanished(() => lstatSync(join(this.#dir, path))) === undefined;
  }

  /** What this user may not look at is told. */
  #look<T>(path: string, look: () => T): T | undefined {
    return this.#tolerateVanished(() => {
      try {
        return look();
      } catch (error) {
        if (hasErrno(error, 'EACCES')) this.#skipped.set(path, MAY_NOT_READ);
        throw error;
      }
    });
  }

  /** Beside a live server, files come and go between two calls. */
  #tolerateVanished<T>(look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'EINVAL')) return undefined;
      throw error;
    }
  }
}

/** Neither what every cache has lying around, nor what nobody should be told to mirror. */
function isWorthTelling(name: string): boolean {
  return !isMarker(name) && !isUnfinishedName(name) && !isSecretName(name);
}

interface FoundTree {
  readonly files: Map<string, LocalFile>;
  readonly links: Map<string, LocalLink>;
  readonly refs: Map<string, string>;
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
