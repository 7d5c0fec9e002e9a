import { existsSync } from 'node:fs';
import { layout } from '../cache/layout.ts';
import { writeOwnFile } from '../cache/own-files.ts';
import { explain, ModelCacheError, toModelCacheError } from '../errors.ts';
import { exportsFor, formatExports, type Exports } from '../handover/environment.ts';
import type { DirCandidate } from '../model/budget.ts';
import type { Store } from '../store/store.ts';
import { withinOpenFiles } from '../transfer/files-at-once.ts';
import { Progress } from '../transfer/progress.ts';
import { withPatience } from '../transfer/watchdog.ts';
import { findDir, LAST_RESORT, refuseWithoutSpace, type FoundDir } from './choose-dir.ts';
import { patienceOf } from './connect.ts';
import type { Context } from './context.ts';
import { localCache, remember } from './local-cache.ts';
import { findRoom } from './find-room.ts';
import { asLocked } from './locked-start.ts';
import { readStore, type ReadStore } from './read-store.ts';
import { leaveRoom, prepareDir, restore, type PlannedDir, type PreparedDir } from './restore-cache.ts';
import { tellEmpty, tellFailed, tellRestored, tellUnmatched, type Restored } from './tell-restore.ts';
import { fingerprintInBucket } from './write-back.ts';

/** All that is known when a server can be started. A plain value. */
export interface Ready extends Restored {
  readonly exports: Exports;
  /** Other caches that blobs of the dir may link to. */
  readonly reuse: readonly string[];
}

/** Everything of a start that touches the dir and the store. Never throws: what cannot be restored, the server downloads. */
export async function makeReady(unlocked: Context, server: readonly string[]): Promise<Ready> {
  const context = asLocked(unlocked);
  let prepared: PreparedDir | undefined;
  const restored = await restoreOrExplain(context, server, (dir) => (prepared = dir));
  const { reuse } = prepared?.dir === restored.dir ? prepared : localCache(context, restored.dir);
  return { ...restored, exports: exportVariables(context, restored.dir), reuse };
}

async function restoreOrExplain(
  context: Context,
  server: readonly string[],
  onPrepared: (dir: PreparedDir) => void,
): Promise<Restored> {
  const { settings, reporter, stop } = context;
  let read: ReadStore | ModelCacheError | undefined;
  let prepared: PreparedDir | undefined;
  try {
    read = await reporter.phase('catalog', () =>
      readStore(context, patienceOf(context), (store) => prepareForCold(context, store)).catch(
        (error: unknown) => toModelCacheError(error),
      ),
    );
    stop.throwIfAborted();
    const prepare = async (candidate: DirCandidate): Promise<PreparedDir> =>
      (prepared = await prepareDir(context, candidate));
    if (!isRead(read)) {
      await findDir(context, async (candidate) => ({ ...(await prepare(candidate)), plan: undefined }));
      throw read;
    }
    const { store, refused } = read;
    const { found, catalog, absent } = await findRoom(context, store, read.catalog, prepare);
    prepared = found.chosen;
    const isEmpty = catalog.source === 'nothing';
    if (isEmpty) await leaveRoom(context, prepared);
    const restored = isEmpty
      ? tellEmpty(context, store, prepared.dir, server, catalog.unasked)
      : await restoreInto(context, store, found, refused + absent, server);
    return server.length === 0
      ? restored
      : { ...restored, inBucket: await fingerprintInBucket(context, found.chosen, catalog) };
  } catch (error) {
    if (prepared !== undefined) await leaveRoom(context, prepared);
    return tellFailed(context, reporter.value.dir ?? settings.dirs[0] ?? LAST_RESORT, error, server);
  } finally {
    if (isRead(read)) read.store.close();
    if (prepared !== undefined) {
      remember(context, prepared);
      onPrepared(prepared);
    }
  }
}

/** Where no earlier start has left anything, all that is in the bucket will be fetched. */
function prepareForCold({ settings }: Context, store: Store): void {
  const isCold = !settings.dirs.some((dir) => existsSync(layout.state(dir)));
  if (isCold) store.ranges?.prepare(withinOpenFiles(settings.paceBounds).width);
}

async function restoreInto(
  context: Context,
  store: Store,
  { chosen, tried }: FoundDir<PlannedDir>,
  /** Manifests and files that the bucket has promised. */
  lacking: number,
  server: readonly string[],
): Promise<Restored> {
  const start = performance.now();
  const progress = new Progress();
  tellUnmatched(context, store, chosen.plan);
  refuseWithoutSpace(tried);
  const outcome = await withPatience(patienceOf(context), progress, context.stop, (signal) =>
    restore(context, store, chosen, signal, progress),
  );
  return tellRestored(context, store, { ...outcome, lacking }, performance.now() - start, server);
}

/** Whatever the restore came to, the variables are set; the file beside the cache is for shells that lack them. */
function exportVariables({ settings, env, log, unreachable }: Context, dir: string): Exports {
  const { transformersCache, also } = settings;
  const exports = exportsFor({ dir, transformersCache, also, unreachable }, env);
  for (const { name, was } of exports.overridden) {
    log.warn('environment', `${name} was ${was}; the server gets ${exports.variables[name]}`);
  }
  try {
    writeOwnFile(dir, layout.env(dir), formatExports(exports, 'sh'), settings.owner);
  } catch (error) {
    log.debug('environment', `${layout.env(dir)} was not written: ${explain(error)}`);
  }
  return exports;
}

function isRead(read: ReadStore | ModelCacheError | undefined): read is ReadStore {
  return read !== undefined && !(read instanceof ModelCacheError);
}
