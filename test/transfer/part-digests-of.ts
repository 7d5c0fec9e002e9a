import { loadBlake3 } from '../../src/blake3.ts';
import { rangesOf } from '../../src/model/parts.ts';
import type { PartDigests } from '../../src/model/proof.ts';

const blake3 = loadBlake3();

/** Why what needs BLAKE3 is not tested here; false: it is. */
export const noBlake3 = blake3 === undefined ? 'this machine has no build of BLAKE3' : false;

/** What a manifest says of a file's parts of `size` bytes each; where there is no BLAKE3, nothing that is right. */
export function partDigestsOf(bytes: Buffer, size: number): PartDigests {
  const digests = rangesOf(bytes.length, size).map(({ start, end }) => {
    const running = blake3?.();
    running?.update(bytes.subarray(start, end));
    return running?.digest('hex') ?? '';
  });
  return { size, digests };
}
