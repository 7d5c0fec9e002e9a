import { resolve } from 'node:path';
import { jsonOf } from './python.ts';

/**
 * Gives the LFS blobs of one repository the form that a xet download has since huggingface_hub 1.32, with that
 * library's own code: `<repo>/blobs/<sha256>` becomes a link to `../../blobs/<xx>/<xet hash>`, which is read-only and
 * whose name is not the SHA-256 of its content. Returns the path in the store of each blob.
 */
export async function toSharedStore(hubCacheDir: string, repoFolder: string): Promise<Map<string, string>> {
  const stored = await jsonOf('hub-2', 'share.py', [resolve(hubCacheDir), repoFolder], {});
  return new Map(Object.entries(stored as Record<string, string>));
}
