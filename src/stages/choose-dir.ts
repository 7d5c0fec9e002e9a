import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { freeBytes, probeDirs, temporaryDir } from '../cache/dirs.ts';
import { layout } from '../cache/layout.ts';
import { explain } from '../errors.ts';
import { bytesShort, chooseDir, type DirCandidate } from '../model/budget.ts';
import type { Context } from './context.ts';

/**
 * The dir for `wanted` bytes: the one that holds our state, then the first with room, then the roomiest, at last a
 * fresh temporary one. Later dirs are not touched when an earlier one will do. Undefined when not even a temporary one
 * can be made.
 */
export function findDir(context: Context, wanted: number): DirCandidate | undefined {
  const { settings, log, reporter } = context;
  const inOrder = settings.dirs.toSorted((a, b) => Number(holdsState(b)) - Number(holdsState(a)));
  const candidates: DirCandidate[] = [];
  for (const dir of inOrder) {
    const found = settings.dryRun
      ? { candidates: [asItIs(dir)], refused: [] }
      : probeDirs([dir], settings.owner);
    for (const { error } of found.refused) {
      log.warn('dir.refused', explain(error));
      reporter.problem(error);
    }
    candidates.push(...found.candidates);
    if (found.candidates.some((candidate) => candidate.holdsState || bytesShort(wanted, candidate) === 0))
      break;
  }
  const chosen = chooseDir(candidates, wanted) ?? temporary(context);
  if (chosen !== undefined) reporter.add({ dir: chosen.dir });
  return chosen;
}

function temporary({ log }: Context): DirCandidate | undefined {
  try {
    const fallback = temporaryDir(tmpdir());
    log.warn('dir.chosen', `no dir of the settings can be used; models go to ${fallback.dir}`);
    return fallback;
  } catch (error) {
    log.warn('dir.refused', `no temporary dir can be made either: ${explain(error)}`);
    return undefined;
  }
}

function holdsState(dir: string): boolean {
  return existsSync(layout.state(dir));
}

/** A dry run makes nothing: the space is that of the folder the dir would be made in. */
function asItIs(path: string): DirCandidate {
  const dir = resolve(path);
  let there = dir;
  while (!existsSync(there)) there = dirname(there);
  return { dir, holdsState: holdsState(dir), freeBytes: freeBytes(there) };
}
