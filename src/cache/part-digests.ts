import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { DigestAlgorithm, Digests } from '../model/digest.ts';
import { Digester } from '../model/digester.ts';
import type { OwnParts } from '../model/part-sharing.ts';

/** Divides every part size of the format. */
const BLOCK = 1024 * 1024;

export interface PartDigests extends OwnParts {
  readonly digests: Digests;
}

/**
 * Reads an open file once, for the digests of the whole and the MD5 of each part: what is sent later under these MD5s
 * is what was proved here. A file that ends early has fewer bytes in its last part, and other digests.
 */
export async function digestParts(
  file: FileHandle,
  size: number,
  partSize: number,
  algorithms: readonly DigestAlgorithm[],
  signal: AbortSignal,
): Promise<PartDigests> {
  const whole = new Digester(algorithms, size);
  const md5s: string[] = [];
  const block = Buffer.allocUnsafe(BLOCK);
  for (let start = 0; start < size; start += partSize) {
    const md5 = createHash('md5');
    const end = Math.min(size, start + partSize);
    for (let position = start; position < end;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(block, 0, Math.min(BLOCK, end - position), position);
      if (bytesRead === 0) break;
      const bytes = block.subarray(0, bytesRead);
      whole.update(bytes);
      md5.update(bytes);
      position += bytesRead;
    }
    md5s.push(md5.digest('hex'));
  }
  return { size, partSize, md5s, digests: whole.digests() };
}
