import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { layout } from './layout.ts';
import { isHeld, tryLock } from './flock.ts';

/** A file being filled, in the cache's own file system and under a name that nobody else reads. */
export interface Staging {
  readonly path: string;
  readonly file: FileHandle;
}

/** From this size on a staged file is locked: its writing may outlast the age at which unlocked leftovers are cleared. */
const LOCK_FROM_BYTES = 8 * 1024 * 1024;
const LEFTOVER_AGE_MS = 10 * 60 * 1000;

/**
 * Lends a new file to `fill` and removes it afterwards, unless `fill` has renamed it away. Its descriptor is closed
 * before `publish` is called, so that nobody can write to what is published.
 */
export async function withStaged<T>(
  dir: string,
  { path, size, executable }: { readonly path: string; readonly size: number; readonly executable: boolean },
  fill: (staging: Staging) => Promise<T>,
  publish: (stagedPath: string, filled: T) => Promise<void> | void,
): Promise<void> {
  const stagedPath = join(layout.partial(dir), `${basename(path).slice(0, 80)}.${randomUUID()}`);
  try {
    const file = await open(
      stagedPath,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      executable ? 0o777 : 0o666,
    );
    let filled: T;
    try {
      if (size >= LOCK_FROM_BYTES) await tryLock(file);
      filled = await fill({ path: stagedPath, file });
    } finally {
      await file.close();
    }
    await publish(stagedPath, filled);
  } finally {
    await rm(stagedPath, { force: true });
  }
}

/** Removes what killed runs left behind; what a living run still writes is locked or young, and stays. */
export async function clearLeftovers(dir: string, now: number): Promise<void> {
  for (const name of await readdir(layout.partial(dir))) {
    const path = join(layout.partial(dir), name);
    const age = await stat(path).then(
      ({ mtimeMs }) => now - mtimeMs,
      () => 0,
    );
    // A folder is nobody's leftover of ours, and stays.
    if (age > LEFTOVER_AGE_MS && !(await isHeld(path)))
      await rm(path, { force: true }).catch(() => undefined);
  }
}
