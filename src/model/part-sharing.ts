import { rangesOf, type ByteRange } from './parts.ts';

/**
 * How pods that hold the same file send one object together. Nobody leads: each lists the parts that are there, sends
 * one that is missing, chosen at random, and whoever sees all of them completes the upload. So that two seldom choose
 * the same, each begins with a share of its own: its place among the pods, known by the uploads that they have begun.
 */

/** One's own file as the parts of an upload: what each must be in the bucket. */
export interface OwnParts {
  /** Bytes. */
  readonly size: number;
  readonly partSize: number;
  /** Of each part, in hex. */
  readonly md5s: readonly string[];
}

interface PartThere {
  readonly number: number;
  readonly size: number;
  readonly etag: string;
}

/** The oldest; of several that are equally old, the one whose id comes first: every pod chooses the same. */
export function meetingPoint<T extends { readonly initiated: number; readonly id: string }>(
  uploads: readonly T[],
): T | undefined {
  return inOrder(uploads)[0];
}

function inOrder<T extends { readonly initiated: number; readonly id: string }>(
  uploads: readonly T[],
): readonly T[] {
  return uploads.toSorted((a, b) => a.initiated - b.initiated || (a.id < b.id ? -1 : 1));
}

/** One's place among the pods that send an object, from 0, and how many they are. */
export interface Place {
  readonly index: number;
  readonly of: number;
}

/** By the upload that each has begun. Those of pods that were killed count: their shares are taken over at the end. */
export function placeAmong(
  uploads: readonly { readonly initiated: number; readonly id: string }[],
  own: string,
): Place {
  const index = inOrder(uploads).findIndex(({ id }) => id === own);
  return index < 0 ? { index: 0, of: 1 } : { index, of: uploads.length };
}

/** Whether a part, by its number, is of the share of a place. */
export function isOfShare(number: number, { index, of }: Place): boolean {
  return (number - 1) % of === index;
}

/** The bytes of part `number`, which counts from 1. */
export function rangeOfPart({ size, partSize }: OwnParts, number: number): ByteRange {
  const start = (number - 1) * partSize;
  return { start, end: Math.min(size, start + partSize) };
}

/** The parts that hold what one's own file holds there, whoever sent them; the others have to be sent over. */
export function rightParts<T extends PartThere>(own: OwnParts, there: readonly T[]): ReadonlyMap<number, T> {
  const ranges = rangesOf(own.size, own.partSize);
  return new Map(
    there
      .filter(({ number, size, etag }) => {
        const range = ranges[number - 1];
        return range !== undefined && size === range.end - range.start && etag === own.md5s[number - 1];
      })
      .map((part) => [part.number, part]),
  );
}

/** An ETag of this form may be an MD5; any other says nothing of the content. */
export function mayBeMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}

/** What a pod sees of an upload that it takes part in. */
export interface Race {
  /** Neither in the bucket nor on their way from here. */
  readonly missing: readonly number[];
  /** Those of them that are of one's own share. */
  readonly share: readonly number[];
  /** On their way from here. */
  readonly inFlight: number;
  /** Parts that were sent from here, and by others, since this pod joined. */
  readonly mine: number;
  readonly theirs: number;
  /** That have begun an upload of this object and not ended it, this one included. */
  readonly pods: number;
}

export type Move = { readonly kind: 'send'; readonly part: number } | { readonly kind: 'wait' };

/**
 * What to do next. Parts of others are seen only when they have arrived, so the more pods there are, the fewer each
 * has on its way, and the last parts are left to chance: most likely somebody is sending them already.
 */
export function nextMove(race: Race, random: () => number): Move {
  const { missing, share, inFlight } = race;
  const others = othersIn(race);
  if (missing.length === 0 || inFlight >= partsAtOnce(race)) return { kind: 'wait' };
  const isTail = share.length === 0 && missing.length < 3 * others;
  if (isTail && random() > (0.25 * missing.length) / (others + 1)) return { kind: 'wait' };
  const choice = share.length > 0 ? share : missing;
  const part = choice[Math.floor(random() * choice.length)];
  return part === undefined ? { kind: 'wait' } : { kind: 'send', part };
}

/** Less than this of one's own speed may be the end of a pod that is gone. */
const NOBODY = 0.3;

/** Whether others are sending too. */
export function hasOthers(race: Race): boolean {
  return othersIn(race) > NOBODY;
}

/** Parts that this pod sent before it may believe that it is alone, where others have begun an upload too. */
const UNTIL_ALONE = 4;
const AT_ONCE_AT_FIRST = 1;
const AT_ONCE_ALONE = 4;

function partsAtOnce(race: Race): number {
  const { mine, missing, inFlight, pods } = race;
  if (!hasOthers(race)) return pods > 1 && mine < UNTIL_ALONE ? AT_ONCE_AT_FIRST : AT_ONCE_ALONE;
  return missing.length + inFlight > 20 * (othersIn(race) + 1) ? 2 : 1;
}

/**
 * How many others are sending. What came from them since this pod joined says what they are worth; a fast pod would take
 * many slow ones for few, so it counts heads too, but believes in so many only: some may be dead.
 */
function othersIn({ mine, theirs, pods }: Race): number {
  const worth = theirs / Math.max(1, mine);
  return worth > NOBODY ? Math.max(worth, Math.min(pods - 1, 4 * worth)) : worth;
}

/** How old, in milliseconds, one's picture of the upload may be. `partTime` is what one part takes from here. */
export function lookAgainAfter(race: Race, partTime: number): number {
  const isMostLikelyAlone = !hasOthers(race) && race.mine >= 2 * UNTIL_ALONE;
  return isMostLikelyAlone
    ? Math.min(5000, Math.max(1000, partTime))
    : Math.min(2000, Math.max(50, partTime / 4));
}
