import { readWriteBack, type WriteBackStatus } from '../cache/write-back-lock.ts';
import { explain } from '../errors.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Inventory } from '../model/inventory.ts';
import { compareTrees, isInSync, type TreeComparison } from '../model/compare.ts';
import { patienceOf } from '../stages/connect.ts';
import type { Context } from '../stages/context.ts';
import { finish } from '../stages/finish.ts';
import { notTaken } from '../stages/not-taken.ts';
import { findLocalCache, scanLocal } from '../stages/local-cache.ts';
import { readStore } from '../stages/read-store.ts';
import { bytes, files, unaskedFolders } from '../stages/words.ts';
import { shownPath } from '../model/paths.ts';
import { besideStores } from '../model/stores.ts';
import { displayName, isApart } from '../model/tree.ts';

/** What is here, what is in the bucket, what differs. Compares names and sizes; `verify` hashes. */
export async function status(context: Context): Promise<number> {
  const { settings, reporter, print } = context;
  const { store, catalog } = await readStore(context, { ...patienceOf(context), minSpeed: 0 });
  store.close();
  const cache = findLocalCache(context);
  const inventory = cache === undefined ? emptyInventory(settings.dirs) : await scanLocal(context, cache);
  const trees = compareTrees(besideStores(catalog, inventory.stores), inventory);
  const { foreign, skipped } = inventory;
  const inSync = trees.every(isInSync) && skipped.length === 0;
  const writeBack = (cache && (await readWriteBack(cache.dir))) ?? null;
  reporter.add({
    status: { inSync, trees: [...trees], foreign: [...foreign], leftOut: [...skipped], writeBack },
  });
  if (!settings.json)
    print(`${describe(store.url, inventory, catalog, trees)}${describeWriteBack(writeBack)}`);
  return finish(context, settings.check && !inSync ? 1 : 0, 'ok');
}

function describeWriteBack(writeBack: WriteBackStatus | null): string {
  if (writeBack === null) return '';
  const { pid, server, state, since } = writeBack;
  return `write-back  ${state} since ${since} (PID ${pid}, beside the server with PID ${server})\n`;
}

function emptyInventory(dirs: readonly string[]): Inventory {
  return { dir: `${dirs.join(', ')} (not there)`, trees: [], skipped: [], foreign: [], stores: [] };
}

function describe(
  url: string,
  inventory: Inventory,
  catalog: Catalog,
  trees: readonly TreeComparison[],
): string {
  const lines = trees.flatMap((tree) => [titleOf(tree), ...describeTree(tree)]);
  const foreign = inventory.foreign.map(
    (entry) =>
      `${shownPath(entry.path)}: ${files(entry.files)}, ${bytes(entry.bytes)}, are no model cache and stay here (--also mirrors a folder)`,
  );
  const leftOut = inventory.skipped.map((item) => `left out: ${explain(notTaken(item).error)}`);
  const unasked = catalog.unasked?.length ? `, and ${unaskedFolders(catalog.unasked)}` : '';
  const nothing = trees.length === 0 ? ['no models on either side'] : [];
  return `${[`dir     ${inventory.dir}`, `bucket  ${url} (${catalog.source})${unasked}`, ...nothing, ...lines, ...leftOut, ...foreign].join('\n')}\n`;
}

function titleOf({ tree }: TreeComparison): string {
  const name = displayName(tree);
  return isApart(tree) ? `${name}   in ${shownPath(tree)}, where HF_HUB_CACHE does not lead` : name;
}

function describeTree({
  here,
  inBucket,
  missingHere,
  missingInBucket,
  differingNames,
}: TreeComparison): readonly string[] {
  const side = (name: string, has: typeof here, lacks: typeof here): string => {
    const sums = `${files(has.files).padStart(10)} ${bytes(has.bytes).padStart(10)}`;
    return `  ${name} ${sums}${lacks.files === 0 ? '' : `   lacks ${files(lacks.files)}, ${bytes(lacks.bytes)}`}`;
  };
  const differing = differingNames === 0 ? [] : [`  links and refs: ${differingNames} differ`];
  return [side('here      ', here, missingHere), side('in bucket ', inBucket, missingInBucket), ...differing];
}
