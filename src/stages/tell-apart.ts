import type { Log } from '../log.ts';
import { shownPath } from '../model/paths.ts';
import { isApart, type TreeName } from '../model/tree.ts';

/**
 * Says once of repos that are not below the hub folder that the exported variables do not lead there: the dir may be
 * named a level too high. A server that names its cache itself finds them all the same.
 */
export function tellApart(log: Log, dir: string, trees: Iterable<TreeName>): void {
  const apart = [...new Set(trees)].filter(isApart);
  const [first] = apart;
  if (first === undefined) return;
  const folder = first.slice(0, first.lastIndexOf('/'));
  const above = folder.endsWith('/hub') ? `, or use --dir ${dir}/${folder.slice(0, -'/hub'.length)}` : '';
  const what = apart.length === 1 ? '1 model is' : `${apart.length} models are`;
  log.info(
    'environment',
    `${what} not below ${dir}/hub (${shownPath(first)}): HF_HUB_CACHE does not lead there; a server has to be told${above}`,
  );
}
