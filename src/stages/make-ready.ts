import { layout } from '../cache/layout.ts';
import { ownerFor } from '../cache/owner.ts';
import { explain, ModelCacheError, toModelCacheError } from '../errors.ts';
import { replaceFile } from '../files.ts';
import { exportsFor, formatExports, type Exports } from '../handover/environment.ts';
import { bytesSelected } from '../model/plan.ts';
import { Progress } from '../transfer/progress.ts';
import { withPatience } from '../transfer/watchdog.ts';
import { findDir } from './choose-dir.ts';
import { patienceOf } from './connect.ts';
import type { Context } from './context.ts';
import { localCache, remember } from './local-cache.ts';
import { readStore, type ReadStore } from './read-store.ts';
import { planFor, prepareDir, restore, type PreparedDir } from './restore-cache.ts';
import { tellEmpty, tellFailed, tellRestored, tellUnmatched, type Restored } from './tell-restore.ts';
import { bytes } from './words.ts';
import { fingerprintInBucket } from './write-back.ts';

/** All that is known when a server can be started. A plain value. */
export interface Ready extends Restored {
  readonly exports: Exports;
  /** Other caches that blobs of the dir may link to. */
  readonly reuse: readonly string[];
}

/** Everything of a start that touches the dir and the store. Never throws: what cannot be restored, the server downloads. */
export async function makeReady(context: Context, server: readonly string[]): Promise<Ready> {
  const restored = await restoreOrExplain(context, server);
  return {
    ...restored,
    exports: exportVariables(context, restored.dir),
    reuse: localCache(context, restored.dir).reuse,
  };
}

async function restoreOrExplain(context: Context, server: readonly string[]): Promise<Restored> {
  const { settings, reporter, stop } = context;
  let dir = settings.dirs[0] ?? '/tmp/models';
  let read: ReadStore | ModelCacheError | undefined;
  let prepared: PreparedDir | undefined;
  try {
    read = await reporter.phase('catalog', () =>
      readStore(context, patienceOf(context)).catch((error: unknown) => toModelCacheError(error)),
    );
    stop.throwIfAborted();
    const found = findDir(context, isRead(read) ? bytesSelected(read.catalog, settings.selection) : 0);
    if (found === undefined) throw new ModelCacheError('dir-unusable', 'there is no dir to restore to');
    dir = found.dir;
    prepared = await prepareDir(context, found);
    if (!isRead(read)) throw read;
    const isEmpty = read.catalog.source === 'nothing';
    const restored = isEmpty
      ? tellEmpty(context, read.store, dir, server)
      : await restoreInto(context, read, prepared, server);
    return server.length === 0
      ? restored
      : { ...restored, inBucket: await fingerprintInBucket(context, prepared, read.catalog) };
  } catch (error) {
    return tellFailed(context, dir, error, server);
  } finally {
    if (isRead(read)) read.store.close();
    if (prepared !== undefined) remember(context, prepared);
  }
}

async function restoreInto(
  context: Context,
  read: ReadStore,
  prepared: PreparedDir,
  server: readonly string[],
): Promise<Restored> {
  const start = performance.now();
  const progress = new Progress();
  const outcome = await withPatience(patienceOf(context), progress, context.stop, async (signal) => {
    const plan = await planFor(context, prepared, read.catalog, signal);
    tellUnmatched(context, read.store, plan);
    refuseWithoutSpace(plan.bytesShort, prepared.dir);
    return restore(context, read, prepared, plan, signal, progress);
  });
  return tellRestored(context, read.store, outcome, performance.now() - start, server);
}

/** Whatever the restore came to, the variables are set; the file beside the cache is for shells that lack them. */
function exportVariables({ settings, env, log }: Context, dir: string): Exports {
  const { transformersCache, also } = settings;
  const exports = exportsFor({ dir, transformersCache, also }, env);
  for (const { name, was } of exports.overridden) {
    log.warn('environment', `${name} was ${was}; the server gets ${exports.variables[name]}`);
  }
  try {
    replaceFile(layout.env(dir), formatExports(exports, 'sh'), { owner: ownerFor(dir, settings.owner) });
  } catch (error) {
    log.debug('environment', `${layout.env(dir)} was not written: ${explain(error)}`);
  }
  return exports;
}

function refuseWithoutSpace(bytesShort: number, dir: string): void {
  if (bytesShort === 0) return;
  throw new ModelCacheError('disk-full', `${dir} lacks ${bytes(bytesShort)}; nothing was restored`, {
    hint: 'name a larger disk with --dir, or fewer models with --model',
  });
}

function isRead(read: ReadStore | ModelCacheError | undefined): read is ReadStore {
  return read !== undefined && !(read instanceof ModelCacheError);
}
