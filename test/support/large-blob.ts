import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { put } from './tree.ts';

const COMMIT = '1a'.repeat(20);
const REPO = 'hub/models--org--large';
const BLOCK_BYTES = 1024 * 1024;

/** A model file too large to be kept in memory, as the one blob of the repo org/large. */
export interface LargeBlob {
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Of its object in the bucket of `Minio.env`. */
  readonly key: string;
  /** Puts it into a cache as if that pod had downloaded it. The bytes are shared: nobody may write to them. */
  linkInto(dir: string): void;
}

/** Random bytes in a file of `folder`, which must be on the disk of the caches. */
export function makeLargeBlob(folder: string, size: number): LargeBlob {
  const path = join(folder, 'unnamed');
  const hash = createHash('sha256');
  const fd = openSync(path, 'w');
  for (let written = 0; written < size;) {
    const block = randomBytes(Math.min(BLOCK_BYTES, size - written));
    hash.update(block);
    written += writeSync(fd, block);
  }
  closeSync(fd);
  const sha256 = hash.digest('hex');
  const named = join(folder, sha256);
  renameSync(path, named);
  return {
    size,
    sha256,
    key: `models/${REPO}/blobs/${sha256}`,
    linkInto(dir) {
      const blob = join(dir, REPO, 'blobs', sha256);
      const link = join(dir, REPO, 'snapshots', COMMIT, 'model.bin');
      for (const file of [blob, link]) mkdirSync(dirname(file), { recursive: true });
      linkSync(named, blob);
      rmSync(link, { force: true });
      symlinkSync(`../../blobs/${sha256}`, link);
      put(join(dir, REPO, 'refs/main'), COMMIT);
    },
  };
}
