import { statSync } from 'node:fs';
import { join } from 'node:path';
import { proveFile } from '../cache/digest.ts';
import { algorithmsFor } from '../cache/prove.ts';
import { hasErrno, ModelCacheError, toModelCacheError } from '../errors.ts';
import { countOf, type Count } from '../model/count.ts';
import { firstMismatch } from '../model/digest.ts';
import type { LocalContent, LocalTree } from '../model/inventory.ts';
import { displayName, roleOf } from '../model/tree.ts';
import type { Context } from './context.ts';
import type { FileFailure } from '../model/file-failure.ts';
import { notTaken } from './not-taken.ts';
import { remember, requireLocalCache, scanLocal, type LocalCache } from './local-cache.ts';

/** What a verification looked at, and what was wrong. */
export interface Checked {
  readonly count: Count;
  readonly failures: readonly FileFailure[];
  /** What was seen and could not be looked at, or is not for a check of this kind. */
  readonly leftOut: readonly FileFailure[];
}

/**
 * Hashes every file of the cache, whatever was proved before, and looks where every link leads. What is found out is
 * remembered, however it ends.
 */
export async function verifyCache(context: Context): Promise<Checked> {
  const cache = requireLocalCache(context, 'verify');
  const inventory = await scanLocal(context, cache);
  const failures: FileFailure[] = [];
  const checked: LocalContent[] = [];
  try {
    for (const tree of inventory.trees) {
      failures.push(...danglingLinks(context, cache, tree));
      for (const file of tree.files.values()) {
        context.stop.throwIfAborted();
        checked.push({ tree, file });
        const error = await checkFile(cache, { tree, file }, context.stop);
        if (error !== undefined) failures.push({ tree: tree.tree, path: file.path, error });
      }
    }
  } finally {
    remember(context, cache);
  }
  return {
    count: countOf(checked.map(({ file }) => file)),
    failures,
    leftOut: inventory.skipped.map(notTaken),
  };
}

async function checkFile(
  { dir, state }: LocalCache,
  { tree, file }: LocalContent,
  signal: AbortSignal,
): Promise<ModelCacheError | undefined> {
  const path = join(tree.root, file.path);
  const role = roleOf(tree.tree, file.path);
  const wanted = role?.role === 'blob' ? role.digests : (file.digests ?? {});
  try {
    const { digests, identity } = await proveFile(
      join(dir, path),
      algorithmsFor(tree.tree, file.path),
      signal,
    );
    const mismatch = firstMismatch(wanted, digests);
    if (mismatch === undefined) state.remember(path, identity, digests);
    return mismatch && wrongContent(path, mismatch);
  } catch (error) {
    signal.throwIfAborted();
    return toModelCacheError(error);
  }
}

/** Links that lead nowhere. Where one leads to a folder, or out of its tree, there is nothing to hash, and nothing wrong. */
function danglingLinks(
  { unreachable }: Context,
  { dir }: LocalCache,
  tree: LocalTree,
): readonly FileFailure[] {
  return Array.from(tree.links.values()).flatMap(({ path, target, to }) => {
    if (to !== undefined && tree.files.has(to)) return [];
    const absolute = join(dir, tree.root, path);
    if (unreachable.has(absolute) || !isDangling(absolute)) return [];
    const error = new ModelCacheError(
      'file-missing',
      `${tree.root}/${path} of ${displayName(tree.tree)} leads nowhere`,
      { wanted: target, hint: '`model-cache init` fetches it again' },
    );
    return [{ tree: tree.tree, path, error }];
  });
}

function isDangling(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP');
  }
}

function wrongContent(
  path: string,
  mismatch: { readonly wanted: string; readonly found: string },
): ModelCacheError {
  return new ModelCacheError('file-digest-differs', `${path} is not what it should be`, {
    ...mismatch,
    hint: 'delete it; `model-cache init` or the server brings it back',
  });
}
