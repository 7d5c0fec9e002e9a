import { lstat, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { mapLimited } from '../map-limited.ts';
import {
  journalNameOf,
  leftoversToRemove,
  mayGo,
  reclaimableBytes,
  type Intent,
  type Leftover,
} from '../model/leftovers.ts';
import { thisBoot } from './boot.ts';
import { lockOf } from './flock.ts';
import { readJournal } from './journal-file.ts';
import { layout } from './layout.ts';

const BLOCK_BYTES = 512;
/** Each may ask for a lock, which takes a process. */
const AT_ONCE = 8;

/** Bytes below the dir that are as good as free: killed runs have left them. */
export async function bytesLeftBehind(dir: string, now: number): Promise<number> {
  return reclaimableBytes(await readLeftovers(dir, now), thisBoot());
}

/** Removes what killed runs left behind and nobody goes on with. What a living run writes is locked or young, and stays. */
export async function clearLeftovers(dir: string, now: number, intent: Intent): Promise<void> {
  const names = leftoversToRemove(await readLeftovers(dir, now), intent, thisBoot());
  for (const name of names) {
    for (const path of [name, journalNameOf(name)])
      await rm(join(layout.partial(dir), path), { force: true }).catch(() => undefined);
  }
}

/** The partial files of a dir; never throws. A folder is nobody's leftover of ours. */
async function readLeftovers(dir: string, now: number): Promise<readonly Leftover[]> {
  const folder = layout.partial(dir);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const journals = new Set(names.map(journalNameOf));
  const files = names.filter((name) => !journals.has(name));
  const read = await mapLimited(AT_ONCE, files, (name) => readLeftover(join(folder, name), now));
  return read.filter((leftover) => leftover !== undefined);
}

/**
 * What counts is what it is after its lock was asked for: who had the lock until then has removed the journal, and is
 * about to publish the file.
 */
async function readLeftover(path: string, now: number): Promise<Leftover | undefined> {
  const before = await look(path, now);
  if (before === undefined || !mayGo(before)) return before && { ...before, lock: 'unknown' };
  const lock = await lockOf(path);
  const after = await look(path, now);
  return after && { ...after, lock };
}

async function look(path: string, now: number): Promise<Omit<Leftover, 'lock'> | undefined> {
  const journalPath = journalNameOf(path);
  const [file, journalFile] = await Promise.all([
    lstat(path).catch(() => undefined),
    lstat(journalPath).catch(() => undefined),
  ]);
  if (file === undefined) return undefined;
  return {
    name: basename(path),
    bytes: file.blocks * BLOCK_BYTES,
    age: now - Math.max(file.mtimeMs, journalFile?.mtimeMs ?? file.mtimeMs),
    journal: journalFile === undefined ? undefined : await readJournal(journalPath),
  };
}
