import { join } from 'node:path';
import { toModelCacheError, type ModelCacheError } from '../errors.ts';
import type { DigestAlgorithm } from '../model/digest.ts';
import type { Inventory, LocalContent, LocalFile } from '../model/inventory.ts';
import { roleOf, type TreeName } from '../model/tree.ts';
import { proveFile } from './digest.ts';
import { createPace } from './pace.ts';
import type { State } from './state.ts';

export interface Unprovable extends LocalContent {
  readonly error: ModelCacheError;
}

/** What it takes to say everything of a file: a blob named by git's SHA-1 is also known by its SHA-256. */
export function algorithmsFor(tree: TreeName, path: string): readonly DigestAlgorithm[] {
  const role = roleOf(tree, path);
  return role?.role === 'blob' && role.digests.gitSha1 !== undefined ? ['sha256', 'git-sha1'] : ['sha256'];
}

/** Whether everything that `algorithmsFor` asks for is known. */
export function isProved({ tree, file }: LocalContent): boolean {
  const algorithms = algorithmsFor(tree.tree, file.path);
  return (
    (!algorithms.includes('sha256') || file.digests?.sha256 !== undefined) &&
    (!algorithms.includes('git-sha1') || file.digests?.gitSha1 !== undefined)
  );
}

/**
 * Hashes those of `files` that were not hashed before, and remembers the digests. Returns the inventory with them,
 * and the files that could not be read or were being written to. `onBlock` hears that the disk still gives bytes.
 */
export async function proveFiles(
  inventory: Inventory,
  files: readonly LocalContent[],
  state: State,
  signal?: AbortSignal,
  onBlock?: () => void,
): Promise<{ readonly inventory: Inventory; readonly unprovable: readonly Unprovable[] }> {
  const proved = new Map<LocalFile, LocalFile>();
  const unprovable: Unprovable[] = [];
  const pace = createPace();
  for (const { tree, file } of files.filter((candidate) => !isProved(candidate))) {
    signal?.throwIfAborted();
    await pace();
    onBlock?.();
    const path = join(tree.root, file.path);
    try {
      const { digests, size, identity } = await proveFile(
        join(inventory.dir, path),
        algorithmsFor(tree.tree, file.path),
        signal,
        onBlock,
      );
      state.remember(path, identity, digests);
      proved.set(file, { ...file, size, identity, digests: { ...file.digests, ...digests } });
    } catch (error) {
      signal?.throwIfAborted();
      unprovable.push({ tree, file, error: toModelCacheError(error) });
    }
  }
  return { inventory: proved.size === 0 ? inventory : replaceFiles(inventory, proved), unprovable };
}

function replaceFiles(inventory: Inventory, replaced: ReadonlyMap<LocalFile, LocalFile>): Inventory {
  const trees = inventory.trees.map((tree) => ({
    ...tree,
    files: new Map(Array.from(tree.files, ([path, file]) => [path, replaced.get(file) ?? file])),
  }));
  return { ...inventory, trees };
}
