import { randomUUID } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { explain, ModelCacheError } from '../errors.ts';
import { makeFolders } from '../files.ts';
import type { DirCandidate } from '../model/budget.ts';
import { layout } from './layout.ts';
import { refuseForeignIn } from './own-folder.ts';
import { giveTo, ownerFor, type Owner } from './owner.ts';
import { freeBytes } from './space.ts';

/** Of folders above a dir, whatever the umask: who may replace them could lead our writes elsewhere. */
const NOT_FOR_ALL = 0o775;

interface RefusedDir {
  readonly dir: string;
  readonly error: ModelCacheError;
}

export interface DirSearch {
  readonly candidates: readonly DirCandidate[];
  readonly refused: readonly RefusedDir[];
}

/** Tries each dir by doing in it what a restore does. The order is kept. */
export function probeDirs(dirs: readonly string[], asked?: Owner): DirSearch {
  const candidates: DirCandidate[] = [];
  const refused: RefusedDir[] = [];
  for (const dir of dirs) {
    try {
      candidates.push(probeDir(resolve(dir), asked));
    } catch (error) {
      refused.push({ dir, error: unusable(dir, error) });
    }
  }
  return { candidates, refused };
}

/**
 * The last resort when no dir of the settings works: one of this user's own, the same at the next start; a fresh one
 * where somebody else has taken that name.
 */
export function temporaryDir(parent: string): DirCandidate {
  const ours = temporaryDirIn(parent);
  try {
    if (lstatSync(ours, { throwIfNoEntry: false }) === undefined) mkdirSync(ours, { mode: 0o700 });
    if (isOwnFolder(ours)) return probeDir(ours);
  } catch {
    // A fresh one, then.
  }
  const fresh = mkdtempSync(join(parent, 'model-cache-'));
  try {
    return probeDir(fresh);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
}

/** The one of this user that was made there before, if it still is. */
export function ownTemporaryDir(parent: string): string | undefined {
  const ours = temporaryDirIn(parent);
  return isOwnFolder(ours) ? ours : undefined;
}

function temporaryDirIn(parent: string): string {
  return join(parent, `model-cache-${process.geteuid?.() ?? 0}`);
}

function isOwnFolder(path: string): boolean {
  try {
    const found = lstatSync(path);
    return found.isDirectory() && found.uid === (process.geteuid?.() ?? 0);
  } catch {
    return false;
  }
}

function probeDir(dir: string, asked?: Owner): DirCandidate {
  const isNew = !existsSync(dir);
  makeFolders(dirname(dir), NOT_FOR_ALL);
  makeFolders(dir);
  if (isNew) giveTo(asked, dir);
  refuseForeign(dir);
  makeOurFolder(dir, asked);
  tryWriting(layout.partial(dir));
  return { dir, freeBytes: freeBytes(dir) };
}

function makeOurFolder(dir: string, asked: Owner | undefined): void {
  const ours = layout.folder(dir);
  for (const [parent, folder] of [
    [dir, ours],
    [ours, layout.partial(dir)],
  ] as const) {
    makeFolders(folder);
    refuseForeignIn(parent, folder, asked);
    giveTo(ownerFor(dir, asked), folder);
  }
}

/**
 * Someone who owns a dir, or may replace it, could lead our writes elsewhere or change what was proved. Root is not
 * held to this: the dir it is given may be the server user's, or below a volume that everybody may write to.
 */
function refuseForeign(dir: string): void {
  const me = process.geteuid?.() ?? 0;
  if (me === 0) return;
  for (const path of new Set([...withAncestors(dir), ...withAncestors(realpathSync(dir))])) {
    const { uid, mode } = lstatSync(path);
    if (uid !== me && uid !== 0) {
      const found = `uid ${uid}`;
      throw new ModelCacheError('dir-unusable', `${path} belongs to someone else`, {
        wanted: `uid ${me} or 0`,
        found,
      });
    }
    const isReplaceable = (mode & 0o002) !== 0 && (mode & 0o1000) === 0 && lstatSync(path).isDirectory();
    if (isReplaceable && path !== dir && path !== realpathSync(dir) && !isVolume(path)) {
      throw new ModelCacheError('dir-unusable', `anyone may replace what is in ${path}`, {
        hint: `chmod +t ${path}`,
      });
    }
  }
}

/**
 * Something is mounted there. Such a folder is often for all to write, as that of a Kubernetes emptyDir is, and only what
 * shares the volume reaches it.
 */
function isVolume(folder: string): boolean {
  return lstatSync(folder).dev !== lstatSync(dirname(folder)).dev;
}

function withAncestors(path: string): readonly string[] {
  return path === dirname(path) ? [path] : [path, ...withAncestors(dirname(path))];
}

function tryWriting(folder: string): void {
  const name = join(folder, `probe.${randomUUID()}`);
  try {
    writeFileSync(`${name}.file`, 'model-cache', { flag: 'wx' });
    symlinkSync('probe', `${name}.link`);
    renameSync(`${name}.file`, `${name}.renamed`);
    if (readFileSync(`${name}.renamed`, 'utf8') !== 'model-cache')
      throw new Error('it does not keep what is written');
  } finally {
    for (const suffix of ['file', 'link', 'renamed']) rmSync(`${name}.${suffix}`, { force: true });
  }
}

function unusable(dir: string, error: unknown): ModelCacheError {
  if (error instanceof ModelCacheError) return error;
  return new ModelCacheError('dir-unusable', `${dir} cannot be used: ${explain(error)}`, { cause: error });
}
