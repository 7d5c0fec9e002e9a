import { join } from 'node:path';
import { ModelCacheError } from '../errors.ts';
import { liesIn } from '../model/paths.ts';

const DEFAULT_DIRS = ['/tmp/models', '/runpod-volume/models'];

/** The dirs that are named; else those of the default that lie beside the store, or all, should none do. */
export function dirsOf(named: readonly string[], folderOfStore: string | undefined): readonly string[] {
  if (named.length > 0) return named;
  const beside = DEFAULT_DIRS.filter((dir) => folderOfStore === undefined || !liesIn(dir, folderOfStore));
  return beside.length > 0 ? beside : DEFAULT_DIRS;
}

/** A cache in the folder of the store would be restored from what it writes itself. */
export function whyDirInStore(dirs: readonly string[], folder: string): ModelCacheError | undefined {
  const inside = dirs.find((dir) => liesIn(dir, folder));
  if (inside === undefined) return undefined;
  return new ModelCacheError('setting-invalid', `the dir ${inside} lies in the folder of the store`, {
    wanted: `a folder beside ${folder}`,
    found: inside,
    hint: `name another one with --dir, or give the store a folder of its own, as in --store file://${join(folder, 'store')}`,
  });
}
