import { tmpdir } from 'node:os';
import { dirInUse } from '../cache/dir-in-use.ts';
import { ownTemporaryDir } from '../cache/dirs.ts';
import { scanCache } from '../cache/scan.ts';
import { State } from '../cache/state.ts';
import { explain, ModelCacheError } from '../errors.ts';
import { cachesBefore } from '../handover/environment.ts';
import type { Inventory } from '../model/inventory.ts';
import type { Settings } from '../settings/settings.ts';
import type { Context } from './context.ts';

/** A dir as it is, with what was proved of it before. */
export interface LocalCache {
  readonly dir: string;
  readonly state: State;
  /** Other caches that its blobs may link to. */
  readonly reuse: readonly string[];
}

/** The cache that a command without a server speaks of; undefined when none of the dirs exists. */
export function findLocalCache(context: Context): LocalCache | undefined {
  const dir = usedDir(context);
  if (dir === undefined) return undefined;
  context.reporter.add({ dir });
  return localCache(context, dir);
}

/** Where that is. A dir that is named on the command line is meant as it is. */
export function usedDir({ settings, flags }: Pick<Context, 'settings' | 'flags'>): string | undefined {
  return dirInUse(settings.dirs, flags['dir'] === undefined ? ownTemporaryDir(tmpdir()) : undefined);
}

/** The same, where there is nothing to do without one: throws `dir-unusable`. */
export function requireLocalCache(context: Context, purpose: 'upload' | 'verify'): LocalCache {
  const cache = findLocalCache(context);
  if (cache !== undefined) return cache;
  const { dirs } = context.settings;
  throw new ModelCacheError(
    'dir-unusable',
    `there is no cache to ${purpose}: this user sees no folder at ${dirs.join(' or ')}`,
    {
      hint: 'name it with --dir',
    },
  );
}

export function localCache({ settings, env, unreachable }: Context, dir: string): LocalCache {
  const { hubs, torchHomes } = cachesBefore(dir, env, settings.reuse, unreachable);
  const state = State.load(dir);
  const remembered = state.reused.filter((cache) => !unreachable.has(cache));
  return { dir, state, reuse: [...new Set([...hubs, ...torchHomes, ...remembered])] };
}

export function scanLocal(
  { settings, unreachable }: Context,
  { dir, state, reuse }: LocalCache,
): Promise<Inventory> {
  const also = settings.also.map(({ tree }) => tree);
  return scanCache(dir, { also, state, reuse, unreachable, store: folderOfStore(settings) });
}

/** Where a store that is a folder lies. */
export function folderOfStore({ store }: Settings): string | undefined {
  return store?.kind === 'file' ? store.path : undefined;
}

/** Keeps what was proved for the next run. A dir that cannot be written to is hashed again, nothing else. */
export function remember({ log, settings }: Context, { dir, state }: LocalCache): void {
  try {
    state.save(dir, settings.owner);
  } catch (error) {
    log.debug('report', `what was proved is not remembered: ${explain(error)}`);
  }
}
