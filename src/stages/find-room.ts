import { toModelCacheError } from '../errors.ts';
import { mapLimited } from '../map-limited.ts';
import { withoutFiles } from '../model/absent-files.ts';
import { bytesShort, type DirCandidate } from '../model/budget.ts';
import type { Catalog, CatalogFile } from '../model/catalog.ts';
import { countOf } from '../model/count.ts';
import type { Store } from '../store/store.ts';
import { Progress } from '../transfer/progress.ts';
import { withPatience } from '../transfer/watchdog.ts';
import { findDir, firstWithRoom, type FoundDir } from './choose-dir.ts';
import { patienceOf } from './connect.ts';
import type { Context } from './context.ts';
import { remember } from './local-cache.ts';
import { readPatiently } from './read-patiently.ts';
import { planIn, type PlannedDir, type PreparedDir } from './restore-cache.ts';
import { bytes, files } from './words.ts';

/** Objects looked at before a disk is called too small, and at once. */
const MOST_LOOKED_AT = 1000;
const AT_ONCE = 8;

export interface FoundRoom {
  readonly found: FoundDir<PlannedDir>;
  /** Without what was promised and is not there. */
  readonly catalog: Catalog;
  /** How many files that was. */
  readonly absent: number;
}

/**
 * A dir with room for what the bucket holds. A manifest may name files that are not there, of any size: before nothing
 * is restored for lack of space, the store is asked for the largest. What was hashed of the dirs is remembered, also of
 * those that are not chosen.
 */
export async function findRoom(
  context: Context,
  store: Store,
  catalog: Catalog,
  prepare: (candidate: DirCandidate) => Promise<PreparedDir>,
): Promise<FoundRoom> {
  const prepared: PreparedDir[] = [];
  const prepareOnce = async (candidate: DirCandidate): Promise<PreparedDir> => {
    const dir = await prepare(candidate);
    prepared.push(dir);
    return dir;
  };
  try {
    const found = await patiently(context, (planFor) =>
      findDir(context, async (candidate) => planFor(await prepareOnce(candidate), catalog)),
    );
    if (found.tried.some(({ plan }) => plan.bytesShort === 0)) return { found, catalog, absent: 0 };
    const absent = await readPatiently(store, patienceOf(context), context.stop, (store, signal) =>
      absentFiles(store, found, signal),
    );
    if (absent.size === 0) return { found, catalog, absent: 0 };
    tellAbsent(context, absent);
    const held = withoutFiles(catalog, absent);
    const foundAgain = await patiently(context, (planFor) =>
      firstWithRoom(context, prepared, (dir) => planFor(dir, held)),
    );
    return { found: foundAgain, catalog: held, absent: absent.size };
  } finally {
    for (const dir of prepared) remember(context, dir);
  }
}

function patiently<T>(
  context: Context,
  find: (planFor: (dir: PreparedDir, catalog: Catalog) => Promise<PlannedDir>) => Promise<T>,
): Promise<T> {
  const progress = new Progress();
  return withPatience(patienceOf(context), progress, context.stop, (signal) =>
    find((dir, catalog) => planIn(context, dir, catalog, signal, progress)),
  );
}

function tellAbsent({ log }: Context, absent: ReadonlySet<CatalogFile>): void {
  const size = [...absent].reduce((sum, file) => sum + file.size, 0);
  log.warn(
    'restore.item',
    `left out: ${files(absent.size)}, ${bytes(size)}, which the bucket promises and does not hold`,
  );
}

/** Of the files to fetch, the largest first, until the others fit; none when the store does not say. */
async function absentFiles(
  store: Store,
  { chosen, tried }: FoundDir<PlannedDir>,
  signal: AbortSignal,
): Promise<ReadonlySet<CatalogFile>> {
  const absent = new Set<CatalogFile>();
  const freeBytes = Math.max(...tried.map((dir) => dir.freeBytes));
  const wanted = chosen.plan.items
    .flatMap((item) => (item.kind === 'file' && item.reason === 'no-space' ? [item.file] : []))
    .toSorted((a, b) => b.size - a.size);
  const isShort = (): boolean =>
    bytesShort(countOf(wanted.filter((file) => !absent.has(file))).bytes, { freeBytes }) > 0;
  for (let at = 0; at < Math.min(wanted.length, MOST_LOOKED_AT) && isShort(); at += AT_ONCE) {
    await mapLimited(AT_ONCE, wanted.slice(at, at + AT_ONCE), async (file) => {
      if (!(await isHeld(store, file, signal))) absent.add(file);
    });
  }
  return absent;
}

async function isHeld(store: Store, { key, size }: CatalogFile, signal: AbortSignal): Promise<boolean> {
  try {
    return (await store.head(key, signal))?.size === size;
  } catch (error) {
    signal.throwIfAborted();
    if (toModelCacheError(error).code === 'store-denied') return true;
    throw error;
  }
}
