import { randomUUID } from 'node:crypto';
import { constants, lstatSync, rmSync } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { hasErrno, ModelCacheError } from '../errors.ts';
import type { Digests } from '../model/digest.ts';
import { journalNameOf } from '../model/leftovers.ts';
import type { Journal } from '../model/partial.ts';
import { tryLock, tryShare } from './flock.ts';
import { JournalFile } from './journal-file.ts';
import { layout } from './layout.ts';
import { resumePartial } from './resume.ts';
import { isInMemory } from './space.ts';

/** A file being filled, in the cache's own file system and under a name that nobody else reads. */
export interface Staging {
  readonly path: string;
  readonly file: FileHandle;
  /** What a killed run has filled of it. */
  readonly found: Journal | undefined;
  /** To be kept while the file is filled; undefined where nobody could go on with it. */
  readonly journal: JournalFile | undefined;
  /** After a power cut it could have holes under its final name, unless it was flushed. */
  readonly needsFlush: boolean;
}

/** What is to be staged. */
export interface StagedObject {
  readonly key: string;
  readonly path: string;
  readonly size: number;
  readonly executable: boolean;
  /** Without any, nothing could tell that what was resumed is wrong. */
  readonly digests: Digests | undefined;
}

/**
 * From this size on a staged file is locked, since its writing may outlast the age at which unlocked leftovers are
 * cleared. It can be resumed then, and is flushed.
 */
const LARGE_BYTES = 8 * 1024 * 1024;

export function isResumable({ size, digests }: Pick<StagedObject, 'size' | 'digests'>): boolean {
  return size >= LARGE_BYTES && digests !== undefined;
}

/**
 * Lends a file to `fill`, new or as a killed run has left it, and removes it afterwards, unless `fill` has renamed it
 * away, or something failed and it is kept for the next run. Its descriptor is closed before `publish` is called, so
 * that nobody can write to what is published. Throws `file-changed` when it was taken away before it was published.
 */
export async function withStaged<T>(
  dir: string,
  object: StagedObject,
  fill: (staging: Staging) => Promise<T>,
  publish: (stagedPath: string, filled: T) => Promise<void> | void,
  isKept: () => boolean = () => false,
): Promise<void> {
  const staging = await stage(dir, object);
  const { path, file, journal } = staging;
  let isFilled = false;
  let lock: FileHandle | undefined;
  try {
    let filled: T;
    try {
      filled = await fill(staging);
      isFilled = true;
      lock = await keepLock(staging);
      if (lock === undefined) await withdraw(staging);
    } finally {
      await journal?.close();
      await file.close();
    }
    await publish(path, filled);
    await remove(path);
  } catch (error) {
    const isOfUse = journal?.isOfUse === true && !isFilled;
    const why = isGone(path, error) ? takenAway(path, error) : error;
    if (!isOfUse || !isKept()) await remove(path);
    throw why;
  } finally {
    await lock?.close();
  }
}

/** Where a small file may be made, before it is published. */
export function smallStagedPath(dir: string, object: Pick<StagedObject, 'path'>): string {
  return `${layout.partial(dir)}/${prefixOf(object)}${randomUUID()}`;
}

/** Publishes a small file from there, and removes it when that throws. Throws `file-changed` when it was taken away. */
export function publishSmall(stagedPath: string, publish: () => void): void {
  try {
    publish();
  } catch (error) {
    const why = isGone(stagedPath, error) ? takenAway(stagedPath, error) : error;
    try {
      rmSync(stagedPath, { force: true });
    } catch {
      // It is cleared by a later run.
    }
    throw why;
  }
}

/** What the names of a file's stagings begin with. */
function prefixOf({ path }: Pick<StagedObject, 'path'>): string {
  return `${basename(path).slice(0, 80)}.`;
}

/**
 * The lock goes over to a descriptor that cannot write, so that nobody else takes the file, or removes it, until it has
 * its name; and at a kill before that, the journal says that all of it is there. Undefined where that cannot be had.
 */
async function keepLock({ path, file, journal }: Staging): Promise<FileHandle | undefined> {
  if (journal === undefined) return undefined;
  const { O_NOFOLLOW, O_RDONLY } = constants;
  const reader = await open(path, O_RDONLY | O_NOFOLLOW).catch(() => undefined);
  if (reader === undefined) return undefined;
  if ((await tryShare(file)) && (await tryShare(reader))) return reader;
  await reader.close();
  return undefined;
}

/**
 * Closing the file ends its lock. From then on nobody may go on with it, or remove it: it has no journal, and is young
 * even when all of it was left by a killed run.
 */
async function withdraw({ file, journal }: Staging): Promise<void> {
  if (journal === undefined) return;
  const now = new Date();
  await file.utimes(now, now).catch(() => undefined);
  await journal.close();
  await journal.remove();
}

/** A rename says ENOENT for the folder that it leads to as well. */
function isGone(path: string, error: unknown): boolean {
  if (!hasErrno(error, 'ENOENT') || (error as NodeJS.ErrnoException).path !== path) return false;
  try {
    lstatSync(path);
    return false;
  } catch (why) {
    return hasErrno(why, 'ENOENT');
  }
}

function takenAway(path: string, cause: unknown): ModelCacheError {
  return new ModelCacheError('file-changed', `${path} was taken away before it could be published`, {
    hint: 'another program clears this folder',
    cause,
  });
}

async function stage(dir: string, object: StagedObject): Promise<Staging> {
  const prefix = prefixOf(object);
  const needsFlush = object.size >= LARGE_BYTES && !isInMemory(dir);
  const resumed = isResumable(object) ? await resumePartial(dir, prefix, object) : undefined;
  if (resumed !== undefined) return { ...resumed, needsFlush };
  const path = join(layout.partial(dir), `${prefix}${randomUUID()}`);
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
  const mode = object.executable ? 0o777 : 0o666;
  const file = await open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  try {
    const isLocked = object.size >= LARGE_BYTES && (await tryLock(file)) === 'locked';
    const journal =
      isLocked && isResumable(object) ? new JournalFile(journalNameOf(path), object) : undefined;
    return { path, needsFlush, file, journal, found: undefined };
  } catch (error) {
    await file.close();
    await remove(path);
    throw error;
  }
}

/** On a disk that failed it stays, and is cleared by a later run. */
async function remove(path: string): Promise<void> {
  for (const name of [path, journalNameOf(path)]) await rm(name, { force: true }).catch(() => undefined);
}
