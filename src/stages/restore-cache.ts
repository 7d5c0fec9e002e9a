import { clearLeftovers } from '../cache/staging.ts';
import { ownerFor } from '../cache/owner.ts';
import { proveFiles } from '../cache/prove.ts';
import { Publisher } from '../cache/publish.ts';
import { linkLegacyRepos, linkReused } from '../cache/reuse.ts';
import type { State } from '../cache/state.ts';
import { explain } from '../errors.ts';
import { cachesBefore } from '../handover/environment.ts';
import type { DirCandidate } from '../model/budget.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Inventory } from '../model/inventory.ts';
import type { FileFailure } from '../model/file-failure.ts';
import { filesToProve, planRestore, type RestorePlan } from '../model/plan.ts';
import type { Progress } from '../transfer/progress.ts';
import { executeRestore } from '../transfer/restore.ts';
import type { Context } from './context.ts';
import { localCache, scanLocal, type LocalCache } from './local-cache.ts';
import { withProgressLines } from './progress-lines.ts';
import type { ReadStore } from './read-store.ts';
import { bytes, files, seconds, speed, syncName } from './words.ts';

/** A cache dir that can be worked in, and what other caches gave it. */
export interface PreparedDir extends LocalCache {
  readonly freeBytes: number;
  readonly publisher: Publisher;
}

/** What a restore came to. */
export interface Outcome {
  readonly plan: RestorePlan;
  readonly failures: readonly FileFailure[];
}

/** Makes a dir ready: leftovers of killed runs go, other caches are linked. Nothing is fetched. */
export async function prepareDir(context: Context, { dir, freeBytes }: DirCandidate): Promise<PreparedDir> {
  const { settings, env, log } = context;
  const publisher = new Publisher(dir, ownerFor(dir, settings.owner));
  await clearLeftovers(dir, Date.now());
  linkLegacyRepos(dir, publisher);
  const cache = localCache(context, dir);
  const linked = linkReused(dir, cachesBefore(dir, env, settings.reuse), publisher);
  cache.state.rememberReused(linked);
  for (const path of linked) log.info('cache.reused', `models in ${path} are linked into ${dir}`);
  return { ...cache, freeBytes, publisher };
}

/** Looks at the disk, proves what the catalog knows of it, and decides. */
export async function planFor(
  context: Context,
  cache: LocalCache & { readonly freeBytes: number },
  catalog: Catalog,
  signal: AbortSignal,
): Promise<RestorePlan> {
  const { settings, reporter } = context;
  const found = await reporter.phase('inventory', () => scanLocal(context, cache));
  const inventory = await reporter.phase('proof', () => proveFor(catalog, found, cache.state, signal));
  return planRestore(catalog, inventory, settings.selection, cache);
}

/** Carries the plan out. Throws when the store fails or time is up; what was published by then stays. */
export async function restore(
  context: Context,
  { store }: ReadStore,
  prepared: PreparedDir,
  plan: RestorePlan,
  signal: AbortSignal,
  progress: Progress,
): Promise<Outcome> {
  const { log, reporter } = context;
  const failures: FileFailure[] = [];
  const start = performance.now();
  log.info(
    'restore.started',
    `Starting ${syncName(store.kind)} from ${store.url} to ${plan.dir}: ${files(plan.fetch.files)}, ${bytes(plan.fetch.bytes)} to fetch, ${files(plan.present.files)} here already`,
  );
  await reporter.phase('transfer', () =>
    withProgressLines(log, 'restore.progress', syncName(store.kind), progress, () =>
      executeRestore(plan, {
        store,
        publisher: prepared.publisher,
        state: prepared.state,
        progress,
        signal,
        onFailure: (failure) => {
          failures.push(failure);
          log.warn('restore.item', `left out: ${explain(failure.error)}`);
        },
      }),
    ),
  );
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
): Promise<Inventory> {
  const proof = await proveFiles(inventory, filesToProve(catalog, inventory), state, signal);
  return proof.inventory;
}
