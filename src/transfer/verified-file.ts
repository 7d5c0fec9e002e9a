import type { Digests } from '../model/digest.ts';

/** Content that is staged and has been proved by its digests. Only this is published. */
export interface VerifiedFile {
  readonly digests: Digests;
  /** A power cut cannot take it back. */
  readonly isFlushed: boolean;
}
