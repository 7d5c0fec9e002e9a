import { randomUUID } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { explain, ModelCacheError } from '../errors.ts';
import type { DirCandidate } from '../model/budget.ts';
import { layout } from './layout.ts';

const TMPFS_MAGIC = 0x01021994;

interface RefusedDir {
  readonly dir: string;
  readonly error: ModelCacheError;
}

export interface DirSearch {
  readonly candidates: readonly DirCandidate[];
  readonly refused: readonly RefusedDir[];
}

/** Tries each dir by doing in it what a restore does. The order is kept. */
export function probeDirs(dirs: readonly string[]): DirSearch {
  const candidates: DirCandidate[] = [];
  const refused: RefusedDir[] = [];
  for (const dir of dirs) {
    try {
      candidates.push(probeDir(resolve(dir)));
    } catch (error) {
      refused.push({ dir, error: unusable(dir, error) });
    }
  }
  return { candidates, refused };
}

/** The last resort when no dir of the settings works: a fresh one that is nobody else's. */
export function temporaryDir(parent: string): DirCandidate {
  return probeDir(mkdtempSync(join(parent, 'model-cache-')));
}

/** The dir that commands without a server speak of: the one with our state, else the first that exists. */
export function existingDir(dirs: readonly string[]): string | undefined {
  const there = dirs.map((dir) => resolve(dir)).filter((dir) => existsSync(dir));
  return there.find((dir) => existsSync(layout.state(dir))) ?? there[0];
}

/** Bytes that can still be written there. A tmpfs is no larger than the memory that is left. */
export function freeBytes(dir: string): number {
  const { bavail, bsize, type } = statfsSync(dir);
  const free = bavail * bsize;
  return type === TMPFS_MAGIC ? Math.min(free, process.availableMemory()) : free;
}

function probeDir(dir: string): DirCandidate {
  mkdirSync(dir, { recursive: true });
  refuseForeign(dir);
  const holdsState = existsSync(layout.state(dir));
  makeOurFolder(dir);
  tryWriting(layout.partial(dir));
  return { dir, holdsState, freeBytes: freeBytes(dir) };
}

function makeOurFolder(dir: string): void {
  for (const folder of [layout.folder(dir), layout.partial(dir)]) {
    mkdirSync(folder, { recursive: true });
    if (!lstatSync(folder).isDirectory())
      throw new ModelCacheError('dir-unusable', `${folder} is a link`, { hint: 'remove it' });
  }
}

/** Someone who owns a dir, or may replace it, could lead our writes elsewhere or change what was proved. */
function refuseForeign(dir: string): void {
  const me = process.geteuid?.() ?? 0;
  if (me === 0) return;
  const { uid } = statSync(dir);
  if (uid !== me && uid !== 0) {
    throw new ModelCacheError('dir-unusable', `${dir} belongs to someone else`, {
      wanted: `uid ${me} or 0`,
      found: `uid ${uid}`,
    });
  }
  for (let child = dir; child !== dirname(child); child = dirname(child)) {
    const { mode } = statSync(dirname(child));
    const isReplaceable = (mode & 0o002) !== 0 && (mode & 0o1000) === 0;
    if (isReplaceable) {
      throw new ModelCacheError('dir-unusable', `anyone may replace ${child}`, {
        hint: `chmod +t ${dirname(child)}`,
      });
    }
  }
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
