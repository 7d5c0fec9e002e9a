import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Blake3 } from '../blake3.ts';
import type { DigestAlgorithm, Digests } from '../model/digest.ts';
import { Digester } from '../model/digester.ts';
import { PartHasher } from '../model/part-hasher.ts';
import type { PartDigests } from '../model/proof.ts';
import type { DiskSigns } from '../threads/disk-signs.ts';

/** A file to read once, for the digests of the whole and of each part. */
export interface PartsErrand {
  /** Open for reading until the errand is done. */
  readonly fd: number;
  /** Bytes. */
  readonly size: number;
  readonly partSize: number;
  readonly algorithms: readonly DigestAlgorithm[];
}

export interface PartsFound {
  readonly digests: Digests;
  /** Undefined where there is no BLAKE3 to be had. */
  readonly parts: PartDigests | undefined;
}

/** Read, and hashed while the processor still has it at hand. Divides every part size of the format. */
const READ_BYTES = 512 * 1024;

/**
 * Hashes a file part after part. `onPart` hears the MD5 of each, in order: what is sent under it is what was proved here.
 * A file that ends early has fewer bytes in its last part, and other digests. Undefined when it was stopped.
 */
export async function digestParts(
  { fd, size, partSize, algorithms }: PartsErrand,
  disk: DiskSigns,
  blake3: (() => Blake3) | undefined,
  isStopped: () => boolean,
  onPart: (md5: string) => void,
): Promise<PartsFound | undefined> {
  const whole = new Digester(algorithms, size);
  const partDigests: string[] = [];
  const hasher = blake3 && new PartHasher(partSize, blake3, (digest) => partDigests.push(digest));
  const block = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, Math.max(1, size)));
  for (let start = 0; start < size; start += partSize) {
    const md5 = createHash('md5');
    const end = Math.min(size, start + partSize);
    for (let position = start; position < end;) {
      const [length, from] = [Math.min(block.length, end - position), position];
      const bytesRead = disk.during(() => readSync(fd, block, 0, length, from));
      if (bytesRead === 0) break;
      const bytes = block.subarray(0, bytesRead);
      whole.update(bytes);
      md5.update(bytes);
      hasher?.update(bytes);
      position += bytesRead;
    }
    onPart(md5.digest('hex'));
    // Others are hashed beside it, and it may be told to stop.
    await nextTurn();
    if (isStopped()) return undefined;
  }
  hasher?.end();
  return { digests: whole.digests(), parts: hasher && { size: partSize, digests: partDigests } };
}
