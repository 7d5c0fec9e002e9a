import { clearLeftovers } from '../cache/leftovers.ts';
import { layout } from '../cache/layout.ts';
import { probeNameFolding } from '../cache/name-folding.ts';
import { isGivenTo, ownerFor } from '../cache/owner.ts';
import { proveFiles } from '../cache/prove.ts';
import { Publisher } from '../cache/publish.ts';
import { linkLegacyRepos, linkReused } from '../cache/reuse.ts';
import type { State } from '../cache/state.ts';
import { explain, isInterrupted } from '../errors.ts';
import { cachesBefore } from '../handover/environment.ts';
import type { DirCandidate } from '../model/budget.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Inventory } from '../model/inventory.ts';
import type { FileFailure } from '../model/file-failure.ts';
import type { NameFolding } from '../model/name-folding.ts';
import { filesToProve, planRestore, type RestorePlan } from '../model/plan.ts';
import { besideStores } from '../model/stores.ts';
import { withoutTwins } from '../model/twins.ts';
import type { Store } from '../store/store.ts';
import type { Progress } from '../transfer/progress.ts';
import { executeRestore } from '../transfer/restore.ts';
import type { Context } from './context.ts';
import { localCache, scanLocal, type LocalCache } from './local-cache.ts';
import { tellApart } from './tell-apart.ts';
import { withProgressLines } from './progress-lines.ts';
import { bytes, files, seconds, speed, syncName } from './words.ts';

/** Files that could not be had, told one by one: a bucket may promise any number. */
const MOST_TOLD = 20;

/** A cache dir that can be worked in, and what other caches gave it. */
export interface PreparedDir extends LocalCache {
  readonly freeBytes: number;
  readonly publisher: Publisher;
  readonly folding: NameFolding;
}

/** What is to be done, and what is there before it is done. */
interface Planned {
  readonly plan: RestorePlan;
  readonly inventory: Inventory;
}

export interface PlannedDir extends PreparedDir, Planned {}

/** What a restore came to. */
export interface Outcome {
  readonly plan: RestorePlan;
  readonly failures: readonly FileFailure[];
}

/** Makes a dir ready: other caches are linked. Nothing is fetched. */
export async function prepareDir(context: Context, { dir, freeBytes }: DirCandidate): Promise<PreparedDir> {
  const { settings, env, log, stop, unreachable } = context;
  const owner = ownerFor(dir, settings.owner);
  if (owner !== undefined && !isGivenTo(owner, layout.partial(dir))) {
    const level = settings.owner === undefined ? 'info' : 'warn';
    log[level](
      'dir.chosen',
      `what is restored stays ours: it cannot be given to ${owner.uid}:${owner.gid} (CAP_CHOWN)`,
    );
  }
  const publisher = new Publisher(dir, owner);
  await linkLegacyRepos(dir, publisher, stop);
  const cache = localCache(context, dir);
  const caches = cachesBefore(dir, env, settings.reuse, unreachable);
  const linked = await linkReused(dir, caches, publisher, stop);
  cache.state.rememberReused(linked);
  for (const path of linked) log.info('cache.reused', `models in ${path} are linked into ${dir}`);
  return { ...cache, freeBytes, publisher, folding: probeNameFolding(layout.partial(dir)) };
}

/** What can be there under its own name: of names that the dir takes for one, only the first is restored. */
export async function planIn(
  context: Context,
  prepared: PreparedDir,
  catalog: Catalog,
  signal: AbortSignal,
  progress: Progress,
): Promise<PlannedDir> {
  const distinct = withoutTwins(catalog, prepared.folding);
  return { ...prepared, ...(await planFor(context, prepared, distinct, signal, progress)) };
}

/**
 * Where nothing is restored, what killed runs have left goes: the server needs the room. After a stop signal there is
 * no server, and the next run goes on with it.
 */
export async function leaveRoom({ stop }: Context, { dir }: LocalCache): Promise<void> {
  if (!isInterrupted(stop))
    await clearLeftovers(dir, Date.now(), { wanted: [], present: [], isRoomNeeded: true });
}

/** Looks at the disk, proves what the catalog knows of it, and decides. */
export async function planFor(
  context: Context,
  cache: LocalCache & { readonly freeBytes: number },
  catalog: Catalog,
  signal: AbortSignal,
  progress: Progress,
): Promise<Planned> {
  const { settings, reporter } = context;
  const found = await reporter.phase('inventory', () => scanLocal(context, cache));
  const restorable = besideStores(catalog, found.stores);
  const inventory = await reporter.phase('proof', () =>
    proveFor(restorable, found, cache.state, signal, progress),
  );
  return { plan: planRestore(restorable, inventory, settings.selection, cache), inventory };
}

/** Carries the plan out. Throws when the store fails or time is up; what was published by then stays. */
export async function restore(
  context: Context,
  store: Store,
  { plan, publisher, state }: PlannedDir,
  signal: AbortSignal,
  progress: Progress,
): Promise<Outcome> {
  const { log, reporter } = context;
  tellApart(
    log,
    plan.dir,
    plan.items.map(({ tree }) => tree),
  );
  const failures: FileFailure[] = [];
  let bytesResumed = 0;
  const start = performance.now();
  log.info(
    'restore.started',
    `Starting ${syncName(store.kind)} from ${store.url} to ${plan.dir}: ${files(plan.fetch.files)}, ${bytes(plan.fetch.bytes)} to fetch, ${files(plan.present.files)} here already`,
  );
  await reporter.phase('transfer', () =>
    withProgressLines(log, 'restore.progress', syncName(store.kind), progress, () =>
      executeRestore(plan, {
        store,
        publisher,
        state,
        progress,
        bounds: context.settings.paceBounds,
        signal,
        onFailure: (failure) => {
          failures.push(failure);
          const level = failures.length <= MOST_TOLD ? 'warn' : 'debug';
          log[level]('restore.item', `left out: ${explain(failure.error)}`, failure.error.code);
        },
        onResumed: ({ key, size }, here) => {
          bytesResumed += here;
          log.debug('restore.resumed', `resumed ${key}: ${bytes(here)} of ${bytes(size)} were here already`);
        },
      }),
    ),
  );
  if (bytesResumed > 0)
    log.info('restore.resumed', `resumed ${bytes(bytesResumed)} that an earlier start had fetched`);
  const elapsed = performance.now() - start;
  log.debug(
    'restore.completed',
    `transfer: ${bytes(progress.bytesDone)} in ${seconds(elapsed)}, ${speed(progress.bytesDone, elapsed)}`,
  );
  return { plan, failures };
}

async function proveFor(
  catalog: Catalog,
  inventory: Inventory,
  state: State,
  signal: AbortSignal,
  progress: Progress,
): Promise<Inventory> {
  const onBlock = (): void => progress.diskSign();
  const proof = await progress.whileReadingDisk(() =>
    proveFiles(inventory, filesToProve(catalog, inventory), state, signal, onBlock),
  );
  return proof.inventory;
}
