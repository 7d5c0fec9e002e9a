import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, lutimesSync } from 'node:fs';
import { join } from 'node:path';
import { journalNameOf } from '../../../src/model/leftovers.ts';
import { bytesIn, parseJournal } from '../../../src/model/partial.ts';
import { modelCache } from '../../support/program.ts';
import { makeRepo } from '../../support/tree.ts';
import { makeOriginal } from '../original.ts';
import type { Rig } from '../rig.ts';

const COMMIT = 'e3'.repeat(20);
const ELEVEN_MINUTES_MS = 11 * 60 * 1000;

/** A cache, and a bucket with all of it. */
export interface Filled {
  readonly original: string;
  readonly bucket: string;
}

/** What the rows share, and a repo with more large files, of these sizes. */
export function makeLargeOriginal(dir: string, sizes: readonly number[]): void {
  makeOriginal(dir);
  const files = sizes.map((size, index) => [`model-${index}.safetensors`, { content: randomBytes(size) }]);
  makeRepo(join(dir, 'hub'), 'org/larger', COMMIT, Object.fromEntries(files));
}

/** A bucket of the row's own with the cache that `make` makes. */
export async function filledWith(rig: Rig, make: (dir: string) => void): Promise<Filled> {
  const original = join(rig.scratch, 'original');
  make(original);
  const bucket = await rig.minio.createBucket();
  const { code, stderr } = await modelCache(['upload', '--dir', original], { env: rig.minio.env(bucket) });
  if (code !== 0) throw new Error(`wanted a filled bucket, found:\n${stderr}`);
  rmSync(join(original, '.model-cache'), { recursive: true });
  return { original, bucket };
}

/** A file of a cache, by its path. Links are none. */
export interface CacheFile {
  readonly path: string;
  readonly size: number;
}

export function filesOf(cache: string): readonly CacheFile[] {
  return readdirSync(cache, { recursive: true, encoding: 'utf8' }).flatMap((path) => {
    const stats = lstatSync(join(cache, path));
    return stats.isFile() ? [{ path, size: stats.size }] : [];
  });
}

export function sizeOf(files: readonly CacheFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** What killed runs have left in a dir. */
export interface Leftovers {
  /** By the key of its object: the bytes that are in each file that can be gone on with. */
  readonly resumable: ReadonlyMap<string, readonly number[]>;
  /** Everything else, but the journals of those. */
  readonly others: readonly string[];
}

export function leftoversIn(dir: string): Leftovers {
  const resumable = new Map<string, number[]>();
  const others: string[] = [];
  const folder = join(dir, '.model-cache', 'partial');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const journals = new Set(names.map(journalNameOf));
  for (const name of names.filter((candidate) => !journals.has(candidate))) {
    const journal = parseJournal(textOf(join(folder, journalNameOf(name))));
    const bytes = bytesIn(journal?.done ?? []);
    if (journal === undefined || bytes === 0) others.push(name);
    else resumable.set(journal.key, [...(resumable.get(journal.key) ?? []), bytes]);
  }
  return { resumable, others };
}

/** Empty when there is none, or none any more. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Bytes that need no fetching: files under their final names, and the best of what is left of each other one. */
export function bytesHere(dir: string, files: readonly CacheFile[]): number {
  const { resumable } = leftoversIn(dir);
  return files.reduce((sum, { path, size }) => {
    const isHere = existsSync(join(dir, path));
    return sum + (isHere ? size : Math.max(0, ...(resumable.get(path) ?? [])));
  }, 0);
}

/** What a killed run has left is told from what a living one writes by its lock, or by its age. */
export function ageLeftovers(dir: string): void {
  const folder = join(dir, '.model-cache', 'partial');
  const then = new Date(Date.now() - ELEVEN_MINUTES_MS);
  for (const name of readdirSync(folder)) lutimesSync(join(folder, name), then, then);
}
