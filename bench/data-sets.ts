import { createCipheriv, createHash, type Cipheriv } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What a set is made of: one file for each number. */
export interface Shape {
  readonly name: string;
  readonly sizes: readonly number[];
}

/** A model cache with one repo. */
export interface DataSet extends Shape {
  readonly dir: string;
  readonly bytes: number;
  /** By their paths below the hub folder. */
  readonly files: ReadonlyMap<string, { readonly size: number; readonly sha256: string }>;
}

const COMMIT = '84e5a410d9cead4de2f847e7c9369a6440bdfaca';
const BLOCK = Buffer.alloc(1024 * 1024);
const KIB = 1024;

export const F5: Shape = { name: 'f5', sizes: [1_350_000_000, 54_400_000, 461] };
/** A tenth of it, for slow links. */
export const F5_TENTH: Shape = { name: 'f5-tenth', sizes: [135_000_000, 5_440_000, 461] };
export const SMALL_FILES = manyFiles(2000);

export function manyFiles(count: number, bytes = 64 * KIB): Shape {
  return { name: `files-${count}`, sizes: Array.from({ length: count }, () => bytes) };
}

/** For a look whether everything works. */
export function tiny({ name, sizes }: Shape): Shape {
  if (sizes.length > 10) return { name, sizes: sizes.slice(0, 40).map(() => 4 * KIB) };
  return { name, sizes: sizes.map((size) => Math.min(size, Math.max(Math.round(size / 100), 461))) };
}

/** Writes the set as huggingface_hub lays a repo out. The bytes look random, and are the same every time. */
export function makeDataSet(dir: string, { name, sizes }: Shape): DataSet {
  const repo = `models--bench--${name}`;
  const root = join(dir, 'hub', repo);
  const [blobs, snapshot, refs] = [
    join(root, 'blobs'),
    join(root, 'snapshots', COMMIT),
    join(root, 'refs'),
  ] as const;
  for (const folder of [blobs, snapshot, refs]) mkdirSync(folder, { recursive: true });
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  const files = new Map<string, { size: number; sha256: string }>();
  for (const [index, size] of sizes.entries()) {
    const sha256 = writeBlob(blobs, size, noise);
    symlinkSync(`../../blobs/${sha256}`, join(snapshot, `${index}.bin`));
    files.set(`${repo}/blobs/${sha256}`, { size, sha256 });
  }
  writeFileSync(join(refs, 'main'), COMMIT);
  return { name, sizes, dir, files, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

function writeBlob(folder: string, size: number, noise: Cipheriv): string {
  const unnamed = join(folder, 'unnamed');
  const hash = createHash('sha256');
  const fd = openSync(unnamed, 'w');
  for (let written = 0; written < size;) {
    const block = noise.update(BLOCK.subarray(0, Math.min(BLOCK.length, size - written)));
    hash.update(block);
    written += writeSync(fd, block);
  }
  closeSync(fd);
  const sha256 = hash.digest('hex');
  renameSync(unnamed, join(folder, sha256));
  return sha256;
}
