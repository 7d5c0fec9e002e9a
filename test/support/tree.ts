import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gitBlobSha1, sha256 } from './hub.ts';

/** Every file and link below a folder, by path: `link -> target`, or the SHA-256 of the bytes. */
export function contentsOf(
  root: string,
  isLeftOut: (path: string) => boolean = () => false,
): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (folder: string): void => {
    for (const name of readdirSync(join(root, folder)).toSorted()) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (isLeftOut(path)) continue;
      const stats = lstatSync(join(root, path));
      if (stats.isDirectory()) walk(path);
      else if (stats.isSymbolicLink()) found[path] = `link -> ${readlinkSync(join(root, path))}`;
      else
        found[path] = createHash('sha256')
          .update(readFileSync(join(root, path)))
          .digest('hex');
    }
  };
  walk('');
  return found;
}

export interface RepoFiles {
  readonly [path: string]: { readonly content: Buffer; readonly lfs?: boolean };
}

/** A repo as huggingface_hub lays it out, without asking any Hub. Returns the blob path of each file. */
export function makeRepo(
  hub: string,
  repo: string,
  commit: string,
  files: RepoFiles,
  ref: string | undefined = 'main',
): Record<string, string> {
  const root = join(hub, `models--${repo.replace('/', '--')}`);
  const blobs: Record<string, string> = {};
  for (const [path, { content, lfs = true }] of Object.entries(files)) {
    const blob = join(root, 'blobs', lfs ? sha256(content) : gitBlobSha1(content));
    const link = join(root, 'snapshots', commit, path);
    put(blob, content);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(link), blob), link);
    blobs[path] = blob;
  }
  if (ref !== undefined) put(join(root, 'refs', ref), commit);
  return blobs;
}

export function put(path: string, content: Buffer | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
