import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isHeld } from './flock.ts';

/** `<etag>.incomplete`, since huggingface_hub 1.18 `<etag>.<8 hex digits>.incomplete`. */
const UNFINISHED = /^(?<etag>.+?)(\.[0-9a-f]{8})?\.incomplete$/;

/**
 * Whether some process of this machine is downloading into one of these repos with huggingface_hub. `roots` are repo
 * folders below the dir. An unfinished file that nobody holds the lock of is debris of a kill.
 *
 * To find out, a free lock is taken for a moment: huggingface_hub tries again and does not notice. Where there is no
 * flock, nothing is live.
 */
export async function hasLiveDownload(dir: string, roots: readonly string[]): Promise<boolean> {
  for (const root of roots) {
    for (const lock of locksOfUnfinished(join(dir, root))) if (await isHeld(lock)) return true;
  }
  return false;
}

function locksOfUnfinished(repo: string): ReadonlySet<string> {
  const etags = namesIn(join(repo, 'blobs')).flatMap((name) => UNFINISHED.exec(name)?.groups?.['etag'] ?? []);
  return new Set(etags.map((etag) => join(dirname(repo), '.locks', basename(repo), `${etag}.lock`)));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
