import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, type Dirent } from 'node:fs';
import { join, relative } from 'node:path';
import { hasErrno, toModelCacheError } from '../errors.ts';
import { isRepoFolder, isUnfinishedName, TORCH_CHECKPOINTS } from '../model/tree.ts';
import type { Publisher } from './publish.ts';

/** Caches that the server would have read, had its variables not been moved. */
export interface ReusedCaches {
  /** Folders that hold `models--*`. */
  readonly hubs: readonly string[];
  /** Folders that hold `hub/checkpoints`. */
  readonly torchHomes: readonly string[];
}

/**
 * Links what other caches hold into this one, so that moving the variables loses nothing: no byte is copied, and
 * nothing that is here already is touched. What the bucket knows of it is proved like everything else.
 * Returns the names of the folders that something was linked from.
 */
export function linkReused(dir: string, caches: ReusedCaches, publisher: Publisher): readonly string[] {
  const used = new Set<string>();
  for (const hub of caches.hubs) {
    for (const repo of names(hub).filter(isRepoFolder)) {
      if (unlessInTheWay(() => linkRepo(dir, join(hub, repo), `hub/${repo}`, publisher))) used.add(hub);
    }
  }
  for (const home of caches.torchHomes) {
    const checkpoints = join(home, 'hub', 'checkpoints');
    for (const name of names(checkpoints).filter((name) => !isUnfinishedName(name))) {
      const path = `${TORCH_CHECKPOINTS}/${name}`;
      if (unlessInTheWay(() => linkAway(dir, join(checkpoints, name), path, publisher))) used.add(home);
    }
  }
  return [...used];
}

/**
 * transformers 4 with its own TRANSFORMERS_CACHE keeps repos directly below the dir. They stay there, and are linked
 * where the exported variables look.
 */
export function linkLegacyRepos(dir: string, publisher: Publisher): void {
  for (const repo of names(dir).filter(isRepoFolder)) {
    const underHub = join(dir, 'hub', repo);
    unlessInTheWay(() => {
      if (isThere(underHub)) return linkRepo(dir, join(dir, repo), `hub/${repo}`, publisher);
      publisher.publishLink(`hub/${repo}`, `../${repo}`);
      return true;
    });
  }
}

/** Reusing is a gain, never a duty: what stands in the way of one repo must not cost the others, nor the restore. */
function unlessInTheWay(link: () => boolean): boolean {
  try {
    return link();
  } catch (error) {
    if (toModelCacheError(error).code === 'internal') throw error;
    return false;
  }
}

function linkRepo(dir: string, source: string, root: string, publisher: Publisher): boolean {
  if (!existsSync(join(source, 'snapshots')) || isSymbolicLink(join(dir, root))) return false;
  const blobs = names(join(source, 'blobs')).filter((name) => !isUnfinishedName(name));
  const linked = blobs.map((name) =>
    linkAway(dir, join(source, 'blobs', name), `${root}/blobs/${name}`, publisher),
  );
  const snapshots = filesBelow(source, 'snapshots').map((path) =>
    linkSnapshot(dir, source, root, path, publisher),
  );
  for (const path of filesBelow(source, 'refs').filter((name) => !isUnfinishedName(name))) {
    if (!isThere(join(dir, root, path)))
      publisher.publishRef(`${root}/${path}`, readFileSync(join(source, path), 'utf8'));
  }
  return [...linked, ...snapshots].some(Boolean);
}

function linkSnapshot(
  dir: string,
  source: string,
  root: string,
  path: string,
  publisher: Publisher,
): boolean {
  const from = join(source, path);
  if (!isSymbolicLink(from)) return linkAway(dir, from, `${root}/${path}`, publisher);
  if (isThere(join(dir, root, path)) || !existsSync(from)) return false;
  const blob = /(?:^|\/)blobs\/([0-9a-f]+)$/.exec(readlinkSync(from))?.[1];
  if (blob === undefined) return linkAway(dir, from, `${root}/${path}`, publisher);
  publisher.publishLink(`${root}/${path}`, relative(join(path, '..'), join('blobs', blob)));
  return true;
}

function linkAway(dir: string, source: string, path: string, publisher: Publisher): boolean {
  if (isThere(join(dir, path)) || !existsSync(source)) return false;
  publisher.publishLink(path, source);
  return true;
}

function filesBelow(root: string, folder: string): readonly string[] {
  return readdirOrNothing(join(root, folder)).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(root, path) : [path];
  });
}

function names(folder: string): readonly string[] {
  return readdirOrNothing(folder).map(({ name }) => name);
}

function readdirOrNothing(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return [];
    throw error;
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isSymbolicLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}
