import type { Digests } from './digest.ts';
import type { TreeName } from './tree.ts';

/** What this disk holds. */
export interface Inventory {
  readonly dir: string;
  readonly trees: readonly LocalTree[];
  /** What could be part of a model cache and is not taken, with the reason. */
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
  /** What lies in the dir and is no model cache: it is never sent. */
  readonly foreign: readonly ForeignEntry[];
  /** Folders below the dir that are not looked into, because each is a store. This run's counts also before it is there. */
  readonly stores: readonly string[];
}

export interface LocalTree {
  readonly tree: TreeName;
  /** Where the tree is, below the dir; for a repo that transformers 4 keeps there, not the tree's own name. */
  readonly root: string;
  readonly files: ReadonlyMap<string, LocalFile>;
  readonly links: ReadonlyMap<string, LocalLink>;
  /** Path → exact content. */
  readonly refs: ReadonlyMap<string, string>;
}

export interface LocalFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly executable: boolean;
  /** Changes whenever the file's content could have changed: size, times, inode, device. */
  readonly identity: string;
  /** What was found when the content of exactly this identity was hashed; undefined: not hashed yet. */
  readonly digests: Digests | undefined;
}

/** A file with the tree it belongs to. */
export interface LocalContent {
  readonly tree: LocalTree;
  readonly file: LocalFile;
}

export interface LocalLink {
  readonly path: string;
  readonly target: string;
  /** Where it leads inside its tree; undefined when it leads out of it. */
  readonly to: string | undefined;
}

export interface ForeignEntry {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
}

export function localTree(inventory: Inventory, tree: TreeName): LocalTree | undefined {
  return inventory.trees.find((local) => local.tree === tree);
}
