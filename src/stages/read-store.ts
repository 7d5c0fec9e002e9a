import { ModelCacheError } from '../errors.ts';
import type { Catalog } from '../model/catalog.ts';
import { countOf } from '../model/count.ts';
import { mayNotList } from '../store/may-not-list.ts';
import { readCatalog } from '../store/read-catalog.ts';
import { readLocked } from '../store/read-locked.ts';
import type { Store } from '../store/store.ts';
import type { Patience } from '../transfer/watchdog.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { readPatiently } from './read-patiently.ts';
import { bytes, storeReady, unaskedFolders } from './words.ts';
import { tellRefused } from './tell-problem.ts';

export interface ReadStore {
  readonly store: Store;
  readonly catalog: Catalog;
  /** Manifests that could not be used: what they say is not in the catalog. */
  readonly refused: number;
}

/**
 * Connects and reads what the store holds; of a locked start, what is locked of it. `onOpen` is called before anything
 * is sent to it. Whoever gets the store closes it; one that cannot be read is closed.
 */
export async function readStore(
  context: Context,
  patience: Patience,
  onOpen: (store: Store) => void = () => undefined,
): Promise<ReadStore> {
  const { settings, lock, log, stop } = context;
  if (lock instanceof ModelCacheError) throw lock;
  const store = await connect(context);
  try {
    onOpen(store);
    const { catalog, refused } = await readPatiently(store, patience, stop, (store, signal) =>
      lock === undefined
        ? readCatalog(store, {
            also: settings.also.map(({ tree }) => tree),
            acceptUnverified: settings.acceptUnverified,
            signal,
          })
        : readLocked(store, lock.manifests, signal),
    );
    tellRefused(context, refused);
    log.info('store.ready', `${storeReady(store)}, ${contentsOf(catalog)}`);
    return { store: lock === undefined ? store : mayNotList(store), catalog, refused: refused.length };
  } catch (error) {
    store.close();
    throw error;
  }
}

function contentsOf({ trees, source, unasked = [] }: Catalog): string {
  if (source === 'lock' && trees.length === 0) return 'nothing of what is locked';
  if (trees.length === 0) return unasked.length === 0 ? 'empty' : `nothing but ${unaskedFolders(unasked)}`;
  const total = countOf(trees.flatMap((tree) => tree.files)).bytes;
  const model = source === 'lock' ? 'locked model' : 'model';
  return `${trees.length === 1 ? `1 ${model}` : `${trees.length} ${model}s`}, ${bytes(total)}`;
}
