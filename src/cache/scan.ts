import { lstatSync } from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import { FORMAT_KEY } from '../model/bucket.ts';
import type { ForeignEntry, Inventory, LocalTree } from '../model/inventory.ts';
import { isSafePath } from '../model/paths.ts';
import {
  isAllowedTree,
  isMarker,
  isOffLimits,
  isRepoFolder,
  isSecretName,
  isUnfinishedName,
  TORCH_CHECKPOINTS,
  treeOfRepoFolder,
  type TreeName,
} from '../model/tree.ts';
import { Look } from './look.ts';
import { createPace } from './pace.ts';
import { A_LINK, NO_OBJECT, NO_TEXT, TreeScan, type TreeScanOptions } from './scan-tree.ts';

export interface ScanOptions extends TreeScanOptions {
  readonly also: readonly TreeName[];
  /** The folder that is this run's store, absolute: what lies there is in the bucket, and not in the cache. */
  readonly store?: string | undefined;
}

const [STORES] = FORMAT_KEY.split('/');

/** What a dir holds: repos by their shape wherever they are, torch's checkpoints, `--also` folders. Hashes nothing. */
export async function scanCache(dir: string, options: ScanOptions): Promise<Inventory> {
  return new Scan(dir, options).run();
}

/** Finds the trees. */
class Scan {
  readonly #look: Look;
  readonly #also: readonly TreeName[];
  /** Below the dir, if the store is. */
  readonly #store: string | undefined;
  readonly #stores = new Set<string>();
  readonly #pace = createPace();
  readonly #treeScan: TreeScan;
  readonly #trees = new Map<TreeName, LocalTree>();
  readonly #foreign = new Map<string, ForeignEntry>();

  constructor(dir: string, options: ScanOptions) {
    this.#look = new Look(dir);
    this.#also = options.also;
    this.#store = options.store && pathBelow(dir, options.store);
    if (this.#store !== undefined) this.#stores.add(this.#store);
    this.#treeScan = new TreeScan(this.#look, options, this.#store, this.#pace);
  }

  async run(): Promise<Inventory> {
    await this.#walk('');
    return {
      dir: this.#look.dir,
      trees: [...this.#trees.values()],
      skipped: Array.from(this.#look.skipped, ([path, why]) => ({ path, why })),
      foreign: [...this.#foreign.values()],
      stores: [...this.#stores],
    };
  }

  async #walk(folder: string): Promise<void> {
    const entries = await this.#look.entries(folder, this.#isMeantForTrees(folder));
    if (folder !== '' && entries.some(({ name }) => name === STORES) && this.#isStore(folder)) {
      this.#stores.add(folder);
      return;
    }
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
    const depth = path.split(sep).length - 1;
    const isNamedAsRepo = isRepoFolder(name);
    const isWhatItsNameSays = !isNamedAsRepo || (await this.#looksLikeRepo(path));
    const tree = isNamedAsRepo ? treeOfRepoFolder(path) : path;
    if (isWhatItsNameSays && isAllowedTree(tree, this.#also)) await this.#addTree(tree, path);
    else if (isNamedAsRepo && isWhatItsNameSays && !isSafePath(path)) this.#look.skip(path, NO_OBJECT);
    else if (isNamedAsRepo && this.#look.hasNoText(path)) this.#look.skip(path, NO_TEXT);
    else if (!isOffLimits(name, depth)) await this.#walk(path);
  }

  /** A link in the place of a tree, or of a folder that would hold one. What lies in the dir itself is found where it is. */
  #skipLink(path: string, name: string): void {
    if (path === 'hub')
      this.#look.skip(path, 'it is a link; name the folder it leads to with --reuse, or make it a folder');
    else if (this.#leadsToTree(path)) this.#look.skip(path, A_LINK);
    else if (isRepoFolder(name) && !this.#leadsIntoDir(path)) this.#treeScan.judgeLinkAway(path, A_LINK);
  }

  /** On a volume's root, other programs have folders of their own. */
  #isMeantForTrees(folder: string): boolean {
    return folder === '' || folder === 'hub' || isRepoFolder(basename(folder)) || this.#leadsToTree(folder);
  }

  /** The place of a tree that is no repo, or a folder above it. */
  #leadsToTree(path: string): boolean {
    const trees = [TORCH_CHECKPOINTS, ...this.#also];
    return trees.some((tree) => tree === path || tree.startsWith(`${path}/`));
  }

  /** By its text: to follow it may take for ever. */
  #leadsIntoDir(path: string): boolean {
    const { dir } = this.#look;
    const target = this.#look.targetOf(path);
    return target !== undefined && resolve(dir, path, '..', target).startsWith(`${dir}${sep}`);
  }

  /** Another one than this run's, or that one by a detour. */
  #isStore(folder: string): boolean {
    const format = join(this.#look.dir, folder, FORMAT_KEY);
    return this.#look.quietly(() => lstatSync(format)) !== undefined;
  }

  async #looksLikeRepo(path: string): Promise<boolean> {
    const entries = await this.#look.entries(path);
    return entries.some(
      (entry) => entry.isDirectory() && (entry.name === 'snapshots' || entry.name === 'blobs'),
    );
  }

  async #addTree(tree: TreeName, root: string): Promise<void> {
    const isSecondCopy = this.#trees.has(tree) && root !== tree;
    if (!isSecondCopy) this.#trees.set(tree, await this.#treeScan.scan(tree, root));
  }

  #countForeign(path: string): void {
    const top = path.split(sep)[0] ?? path;
    const before = this.#foreign.get(top) ?? { path: top, files: 0, bytes: 0 };
    const size = this.#look.quietly(() => lstatSync(join(this.#look.dir, path)).size) ?? 0;
    this.#foreign.set(top, { path: top, files: before.files + 1, bytes: before.bytes + size });
  }
}

function pathBelow(dir: string, path: string): string | undefined {
  const below = relative(dir, path);
  return below === '' || below.split(sep)[0] === '..' ? undefined : below;
}

/** Neither what every cache has lying around, nor what nobody should be told to mirror. */
function isWorthTelling(name: string): boolean {
  return !isMarker(name) && !isUnfinishedName(name) && !isSecretName(name);
}
