import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { freeBytes, probeDirs, temporaryDir } from '../cache/dirs.ts';
import { layout } from '../cache/layout.ts';
import { explain } from '../errors.ts';
import { chooseDir, type DirCandidate } from '../model/budget.ts';
import type { Context } from './context.ts';

/** The dirs that work, in order of preference; a fresh temporary one when none does. Empty only when not even that can be made. */
export function findDirs({ settings, log, reporter }: Context): readonly DirCandidate[] {
  if (settings.dryRun) return settings.dirs.map(asItIs);
  const { candidates, refused } = probeDirs(settings.dirs);
  for (const { error } of refused) {
    const isLastHope = candidates.length === 0;
    log[isLastHope ? 'warn' : 'debug']('dir.refused', explain(error));
    reporter.problem(error);
  }
  if (candidates.length > 0) return candidates;
  try {
    const fallback = temporaryDir(tmpdir());
    log.warn('dir.chosen', `no dir of the settings can be used; models go to ${fallback.dir}`);
    return [fallback];
  } catch (error) {
    log.warn('dir.refused', `no temporary dir can be made either: ${explain(error)}`);
    return [];
  }
}

/** The dir for `wanted` bytes; the first of the settings, unusable as it is, when there is no other. */
export function pickDir(
  { settings, log, reporter }: Context,
  candidates: readonly DirCandidate[],
  wanted: number,
): DirCandidate {
  const chosen = chooseDir(candidates, wanted) ?? {
    dir: settings.dirs[0] ?? '/tmp/models',
    holdsState: false,
    freeBytes: 0,
  };
  log.debug('dir.chosen', `models are kept in ${chosen.dir}`, { freeBytes: chosen.freeBytes });
  reporter.add({ dir: chosen.dir });
  return chosen;
}

/** A dry run makes nothing: the space is that of the folder the dir would be made in. */
function asItIs(path: string): DirCandidate {
  const dir = resolve(path);
  let there = dir;
  while (!existsSync(there)) there = dirname(there);
  return { dir, holdsState: existsSync(layout.state(dir)), freeBytes: freeBytes(there) };
}
