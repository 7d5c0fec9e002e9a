import type { Catalog } from '../model/catalog.ts';
import { countOf } from '../model/count.ts';
import { readCatalog } from '../store/read-catalog.ts';
import type { Store } from '../store/store.ts';
import { Progress } from '../transfer/progress.ts';
import { withPatience, type Patience } from '../transfer/watchdog.ts';
import { connect } from './connect.ts';
import { tellRefused, type Context } from './context.ts';
import { bytes, storeReady } from './words.ts';

export interface ReadStore {
  readonly store: Store;
  readonly catalog: Catalog;
}

/** Connects and reads what the store holds. */
export async function readStore(context: Context, patience: Patience): Promise<ReadStore> {
  const { settings, log, stop } = context;
  const store = await connect(context);
  const progress = new Progress();
  const { catalog, refused } = await withPatience(patience, progress, stop, (signal) =>
    progress.whileWaiting(() =>
      readCatalog(store, {
        also: settings.also.map(({ tree }) => tree),
        acceptUnverified: settings.acceptUnverified,
        signal,
      }),
    ),
  );
  tellRefused(context, refused);
  log.info('store.ready', `${storeReady(store)}, ${contentsOf(catalog)}`);
  return { store, catalog };
}

function contentsOf({ trees }: Catalog): string {
  const total = countOf(trees.flatMap((tree) => tree.files)).bytes;
  return trees.length === 0
    ? 'empty'
    : `${trees.length === 1 ? '1 model' : `${trees.length} models`}, ${bytes(total)}`;
}
