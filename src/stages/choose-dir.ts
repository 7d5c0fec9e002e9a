import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { forgetFallback, noteFallback } from '../cache/dir-in-use.ts';
import { ownTemporaryDir, probeDirs, temporaryDir } from '../cache/dirs.ts';
import { layout } from '../cache/layout.ts';
import { bytesLeftBehind } from '../cache/leftovers.ts';
import { freeBytes } from '../cache/space.ts';
import { explain, ModelCacheError } from '../errors.ts';
import { askedHfHome } from '../handover/environment.ts';
import { chooseDir, type DirCandidate } from '../model/budget.ts';
import { liesIn } from '../model/paths.ts';
import type { RestorePlan } from '../model/plan.ts';
import type { Context } from './context.ts';
import { folderOfStore } from './local-cache.ts';
import { bytes } from './words.ts';
import { tellProblem } from './tell-problem.ts';

/** Where the server's variables lead when nothing can be tried. */
export const LAST_RESORT = '/tmp/models';

/** A dir, and what a restore to it would be. Without a plan there is nothing to find room for. */
export interface TriedDir {
  readonly dir: string;
  readonly freeBytes: number;
  readonly plan: RestorePlan | undefined;
}

export interface FoundDir<T extends TriedDir> {
  readonly chosen: T;
  /** In this order; only the last may have room. */
  readonly tried: readonly T[];
}

/**
 * Tries the dirs until one has room for what it lacks: first those that hold our state, then the others in the order of
 * the settings; when none can be used, the server's own HF_HOME, or a temporary one. Later dirs are not touched when an
 * earlier one will do. When none has room it is the one that lacks least. Throws `dir-unusable` when not even a temporary
 * one can be made.
 */
export function findDir<T extends TriedDir>(
  context: Context,
  tryIn: (candidate: DirCandidate) => Promise<T>,
): Promise<FoundDir<T>> {
  return firstWithRoom(context, candidatesOf(context), async (candidate) => {
    const leftBehind = await bytesLeftBehind(candidate.dir, Date.now());
    return tryIn({ ...candidate, freeBytes: candidate.freeBytes + leftBehind });
  });
}

/** The same among given dirs. */
export async function firstWithRoom<C extends { readonly dir: string }, T extends TriedDir>(
  { reporter }: Context,
  candidates: Iterable<C>,
  tryIn: (candidate: C) => Promise<T>,
): Promise<FoundDir<T>> {
  const tried: T[] = [];
  for (const candidate of candidates) {
    reporter.add({ dir: candidate.dir });
    tried.push(await tryIn(candidate));
    if (bytesShortIn(tried.at(-1)) === 0) break;
  }
  const chosen = chooseDir(tried.map((dir) => ({ dir, bytesShort: bytesShortIn(dir) })))?.dir;
  if (chosen === undefined)
    throw new ModelCacheError('dir-unusable', 'there is no dir to restore to', {
      hint: 'name one that can be written to with --dir',
    });
  reporter.add({ dir: chosen.dir });
  return { chosen, tried };
}

/** Throws `disk-full` with the numbers of each dir, unless one has room. */
export function refuseWithoutSpace(tried: readonly TriedDir[]): void {
  if (tried.some((dir) => bytesShortIn(dir) === 0)) return;
  const lacks = tried.map((dir) => {
    const short = bytesShortIn(dir);
    return `${dir.dir} lacks ${bytes(short)} (${bytes(dir.freeBytes)} free, ${bytes(dir.freeBytes + short)} needed)`;
  });
  throw new ModelCacheError('disk-full', `${lacks.join(', ')}; nothing was restored`, {
    hint: 'name a larger disk with --dir, or fewer models with --model',
  });
}

function* candidatesOf(context: Context): Generator<DirCandidate> {
  const { dirs } = context.settings;
  let isUsable = false;
  for (const dir of dirs.toSorted((a, b) => Number(holdsState(b)) - Number(holdsState(a)))) {
    const candidates = candidatesAt(dir, context);
    if (candidates.length > 0 && !isUsable) notFallenBack(context);
    isUsable ||= candidates.length > 0;
    yield* candidates;
  }
  if (isUsable) return;
  const own = ownHome(context).flatMap((dir) => candidatesAt(dir, context));
  for (const { dir } of own)
    context.log.warn(
      'dir.chosen',
      `no dir of the settings can be used; models go to the server's HF_HOME: ${dir}`,
    );
  yield* own.length > 0 ? own : temporary(context);
}

function candidatesAt(dir: string, context: Context): readonly DirCandidate[] {
  const { dryRun, owner } = context.settings;
  if (dryRun) return [asItIs(dir)];
  const { candidates, refused } = probeDirs([dir], owner);
  for (const { error } of refused) tellProblem(context, 'dir.refused', error);
  return candidates;
}

/** Where the server would have put its models without this program, unless that lies in the folder of the store. */
function ownHome({ settings, env, unreachable }: Context): readonly string[] {
  const home = askedHfHome(env);
  if (home === undefined || unreachable.has(home)) return [];
  const isAnother = !settings.dirs.some((dir) => resolve(dir) === resolve(home));
  const store = folderOfStore(settings);
  return isAnother && (store === undefined || !liesIn(resolve(home), store)) ? [home] : [];
}

function notFallenBack({ settings }: Context): void {
  const fallback = settings.dryRun ? undefined : ownTemporaryDir(tmpdir());
  if (fallback !== undefined) forgetFallback(fallback);
}

function temporary({ log, settings }: Context): readonly DirCandidate[] {
  try {
    const fallback = temporaryDir(tmpdir());
    noteFallback(settings.dirs, fallback.dir);
    log.warn('dir.chosen', `no dir of the settings can be used; models go to ${fallback.dir}`);
    return [fallback];
  } catch (error) {
    log.warn('dir.refused', `no temporary dir can be made either: ${explain(error)}`);
    return [];
  }
}

function bytesShortIn(tried: TriedDir | undefined): number {
  return tried?.plan?.bytesShort ?? 0;
}

function holdsState(dir: string): boolean {
  return existsSync(layout.state(dir));
}

/** A dry run makes nothing: the space is that of the folder the dir would be made in. */
function asItIs(path: string): DirCandidate {
  const dir = resolve(path);
  let there = dir;
  while (!existsSync(there)) there = dirname(there);
  return { dir, freeBytes: freeBytes(there) };
}
