import { existsSync, lstatSync, readdirSync, readlinkSync, statSync, type Dirent } from 'node:fs';
import { join, relative } from 'node:path';
import { hasErrno, toModelCacheError } from '../errors.ts';
import { isRepoFolder, isUnfinishedName, TORCH_CHECKPOINTS } from '../model/tree.ts';
import { createPace } from './pace.ts';
import type { Publisher } from './publish.ts';
import { readRef } from './ref-file.ts';

/** Caches that the server would have read, had its variables not been moved. */
export interface ReusedCaches {
  /** Folders that hold `models--*`. */
  readonly hubs: readonly string[];
  /** Folders that hold `hub/checkpoints`. */
  readonly torchHomes: readonly string[];
}

/** Where to, and how: each item is some calls of a disk that may be a slow network volume. */
interface Linking {
  readonly dir: string;
  readonly publisher: Publisher;
  readonly pace: () => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Links what other caches hold into this one, so that moving the variables loses nothing: no byte is copied, and
 * nothing that is here already is touched. What the bucket knows of it is proved like everything else.
 * Returns the names of the folders that something was linked from.
 */
export async function linkReused(
  dir: string,
  caches: ReusedCaches,
  publisher: Publisher,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const linking = startLinking(dir, publisher, signal);
  const used = new Set<string>();
  for (const hub of caches.hubs) {
    for (const repo of names(hub).filter(isRepoFolder)) {
      const link = (): Promise<boolean> => linkRepo(linking, join(hub, repo), `hub/${repo}`);
      if (await unlessInTheWay(linking, link)) used.add(hub);
    }
  }
  for (const home of caches.torchHomes) {
    const checkpoints = join(home, 'hub', 'checkpoints');
    for (const name of names(checkpoints).filter((name) => !isUnfinishedName(name))) {
      const path = `${TORCH_CHECKPOINTS}/${name}`;
      const link = (): boolean => linkAway(linking, join(checkpoints, name), path);
      if (await unlessInTheWay(linking, link)) used.add(home);
    }
  }
  return [...used];
}

/**
 * transformers 4 with its own TRANSFORMERS_CACHE keeps repos directly below the dir. They stay there, and are linked
 * where the exported variables look.
 */
export async function linkLegacyRepos(
  dir: string,
  publisher: Publisher,
  signal?: AbortSignal,
): Promise<void> {
  const linking = startLinking(dir, publisher, signal);
  for (const repo of namesOfFolders(dir).filter((name) => isRepoFolder(name) && isRepo(join(dir, name)))) {
    const underHub = join(dir, 'hub', repo);
    await unlessInTheWay(linking, () => {
      if (isThere(underHub)) return linkRepo(linking, join(dir, repo), `hub/${repo}`);
      publisher.publishLink(`hub/${repo}`, `../${repo}`);
      return true;
    });
  }
}

function startLinking(dir: string, publisher: Publisher, signal: AbortSignal | undefined): Linking {
  const giveWay = createPace();
  const pace = async (): Promise<void> => {
    await giveWay();
    signal?.throwIfAborted();
  };
  return { dir, publisher, pace, signal };
}

/** Reusing is a gain, never a duty: what stands in the way of one repo must not cost the others, nor the restore. */
async function unlessInTheWay(
  { pace, signal }: Linking,
  link: () => boolean | Promise<boolean>,
): Promise<boolean> {
  await pace();
  try {
    return await link();
  } catch (error) {
    signal?.throwIfAborted();
    if (toModelCacheError(error).code === 'internal') throw error;
    return false;
  }
}

async function linkRepo(linking: Linking, source: string, root: string): Promise<boolean> {
  const { dir, publisher, pace } = linking;
  if (!existsSync(join(source, 'snapshots')) || isSymbolicLink(join(dir, root))) return false;
  let isAnyLinked = false;
  for (const name of names(join(source, 'blobs')).filter((name) => !isUnfinishedName(name))) {
    await pace();
    isAnyLinked = linkAway(linking, join(source, 'blobs', name), `${root}/blobs/${name}`) || isAnyLinked;
  }
  for await (const path of filesBelow(source, 'snapshots', pace))
    isAnyLinked = linkSnapshot(linking, source, root, path) || isAnyLinked;
  for await (const path of filesBelow(source, 'refs', pace)) {
    const isWanted = !isUnfinishedName(path) && !isThere(join(dir, root, path));
    const commit = isWanted ? readRef(join(source, path)) : undefined;
    if (commit !== undefined) publisher.publishRef(`${root}/${path}`, commit);
  }
  return isAnyLinked;
}

function linkSnapshot(linking: Linking, source: string, root: string, path: string): boolean {
  const from = join(source, path);
  if (!isSymbolicLink(from)) return linkAway(linking, from, `${root}/${path}`);
  if (isThere(join(linking.dir, root, path)) || !isOfUse(from)) return false;
  const blob = /(?:^|\/)blobs\/([0-9a-f]+)$/.exec(readlinkSync(from))?.[1];
  if (blob === undefined) return linkAway(linking, from, `${root}/${path}`);
  linking.publisher.publishLink(`${root}/${path}`, relative(join(path, '..'), join('blobs', blob)));
  return true;
}

function linkAway({ dir, publisher }: Linking, source: string, path: string): boolean {
  if (isThere(join(dir, path)) || !isOfUse(source)) return false;
  publisher.publishLink(path, source);
  return true;
}

/** Whoever opened a pipe would wait for ever, and a device could do anything. */
function isOfUse(path: string): boolean {
  try {
    const stats = statSync(path);
    return stats.isFile() || stats.isDirectory();
  } catch {
    return false;
  }
}

/** As the scan knows one. */
function isRepo(folder: string): boolean {
  return namesOfFolders(folder).some((name) => name === 'snapshots' || name === 'blobs');
}

/** Without links to folders. */
function namesOfFolders(folder: string): readonly string[] {
  return readdirOrNothing(folder)
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

async function* filesBelow(root: string, folder: string, pace: () => Promise<void>): AsyncGenerator<string> {
  for (const entry of readdirOrNothing(join(root, folder))) {
    await pace();
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(root, path, pace);
    else yield path;
  }
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
