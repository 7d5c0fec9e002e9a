import type { Digests, DigestAlgorithm } from './digest.ts';
import type { ByteRange } from './parts.ts';

/** The digests of an object's consecutive parts, as a manifest tells them. */
export interface PartDigests {
  /** Bytes in every part but the last. */
  readonly size: number;
  /** BLAKE3 in lower-case hex, one for each part. */
  readonly digests: readonly string[];
}

/** How a file is hashed. */
export type Proof =
  | { readonly kind: 'whole'; readonly algorithms: readonly DigestAlgorithm[] }
  | { readonly kind: 'parts'; readonly parts: PartDigests };

/** What was found by hashing it. */
export type Found =
  | { readonly kind: 'whole'; readonly digests: Digests }
  /** Places, from 0, of the parts that are not what they should be. */
  | { readonly kind: 'parts'; readonly wrong: readonly number[] }
  /** No digests of this kind can be made here. */
  | { readonly kind: 'unavailable' };

/** As manifests call it. */
const ALGORITHM = 'blake3';
const BLAKE3 = /^[0-9a-f]{64}$/;

/** What a manifest says of a file's parts. */
interface ToldParts {
  readonly algorithm: string;
  readonly size: number;
  readonly digests: readonly string[];
}

export function toldParts({ size, digests }: PartDigests): ToldParts & { readonly digests: string[] } {
  return { algorithm: ALGORITHM, size, digests: [...digests] };
}

/** What a manifest says of a file's parts, if it can be used: a known algorithm, and all parts there are. */
export function usableParts(size: number, told: ToldParts | undefined): PartDigests | undefined {
  if (told?.algorithm !== ALGORITHM || told.digests.length !== Math.ceil(size / told.size)) return undefined;
  return told.digests.every((digest) => BLAKE3.test(digest))
    ? { size: told.size, digests: told.digests }
    : undefined;
}

/** Those parts that begin within a range. */
export interface PartsOfRange extends PartDigests {
  /** The place of the first of them, from 0. */
  readonly first: number;
}

export function partsOf({ start, end }: ByteRange, { size, digests }: PartDigests): PartsOfRange {
  const first = Math.ceil(start / size);
  return { size, first, digests: digests.slice(first, Math.ceil(end / size)) };
}

/** The bytes of all parts but those at these places. */
export function rangesWithout(
  size: number,
  { size: partSize, digests }: PartDigests,
  wrong: readonly number[],
): readonly ByteRange[] {
  const bad = new Set(wrong);
  return digests.flatMap((_, place) =>
    bad.has(place) ? [] : [{ start: place * partSize, end: Math.min(size, (place + 1) * partSize) }],
  );
}
