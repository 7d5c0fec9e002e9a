import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { journalNameOf, resumable, type LockState, type WantedObject } from '../model/leftovers.ts';
import type { Journal } from '../model/partial.ts';
import { thisBoot } from './boot.ts';
import { tryLock } from './flock.ts';
import { JournalFile, openOwn, readJournal } from './journal-file.ts';
import { layout } from './layout.ts';

export interface Resumed {
  readonly path: string;
  readonly file: FileHandle;
  /** Our own, beside the file's new name. */
  readonly journal: JournalFile;
  readonly found: Journal;
}

/** Another run that looks for leftovers takes each lock for some milliseconds. */
const LOCK_TRIES = 5;
const LOCK_PAUSE_MS = 20;

interface Candidate {
  readonly path: string;
  readonly age: number;
  readonly lock: LockState;
  readonly journal: Journal | undefined;
}

/**
 * Takes over the best of the files that killed runs have left of an object, under a new name; undefined when there is
 * none, or no lock to be had. `prefix` is what the names begin with.
 */
export async function resumePartial(
  dir: string,
  prefix: string,
  object: WantedObject & { readonly executable: boolean },
): Promise<Resumed | undefined> {
  const candidates = await candidatesIn(layout.partial(dir), prefix, Date.now());
  for (const candidate of resumable(candidates, object, thisBoot())) {
    const path = join(layout.partial(dir), `${prefix}${randomUUID()}`);
    const resumed = await take(candidate, object, path).catch(() => undefined);
    if (resumed !== undefined) return resumed;
  }
  return undefined;
}

async function candidatesIn(folder: string, prefix: string, now: number): Promise<readonly Candidate[]> {
  const names = new Set(await readdir(folder));
  const ours = [...names].filter((name) => name.startsWith(prefix) && names.has(journalNameOf(name)));
  return Promise.all(ours.map((name) => look(join(folder, name), now)));
}

async function look(path: string, now: number): Promise<Candidate> {
  const journalPath = journalNameOf(path);
  const written = await Promise.all([path, journalPath].map((name) => lstat(name).catch(() => undefined)));
  const times = written.map((stats) => stats?.mtimeMs ?? now);
  return { path, age: now - Math.max(...times), lock: 'free', journal: await readJournal(journalPath) };
}

/**
 * 1. Whoever has the lock has the file, and nobody else writes to it.
 * 2. What is there is read only then: who had the lock before may have written on, or published the file.
 * 3. The journal is written anew, beside the name that the file will have, and without a line that was cut off.
 * 4. The rename makes it ours; it fails when the file was published or removed before the lock was free.
 * At a kill between two steps there is a file with its journal.
 */
async function take(
  { path: oldPath }: Candidate,
  object: WantedObject & { readonly executable: boolean },
  path: string,
): Promise<Resumed | undefined> {
  const file = await openOwn(oldPath, constants.O_RDWR);
  if (file === undefined) return undefined;
  const journal = new JournalFile(journalNameOf(path), object);
  let isTaken = false;
  try {
    // 1.
    if (!(await lock(file))) return undefined;
    // 2.
    const now = await look(oldPath, Date.now());
    const found = resumable([now], object, thisBoot())[0]?.journal;
    const { size, mode, ino } = await file.stat();
    if (found === undefined || size > object.size || ((mode & 0o111) !== 0) !== object.executable)
      return undefined;
    // 3.
    await journal.begin(found.etag, found.done);
    // 4.
    await rename(oldPath, path);
    isTaken = (await lstat(path)).ino === ino;
    await rm(journalNameOf(oldPath), { force: true });
    return isTaken ? { path, file, journal, found } : undefined;
  } finally {
    if (!isTaken) {
      await file.close();
      await journal.close();
      await journal.remove();
    }
  }
}

async function lock(file: FileHandle): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    const answer = await tryLock(file);
    if (answer !== 'held' || tries === LOCK_TRIES) return answer === 'locked';
    await sleep(LOCK_PAUSE_MS);
  }
}
