import { rangesOf, type ByteRange } from './parts.ts';

/**
 * How pods that hold the same file send one object together. Nobody leads: each lists the parts that are there, sends
 * one that is missing, and whoever sees all of them completes the upload. So that two seldom send the same, each has a
 * share of its own, by its place among the pods, known by the uploads that they have begun; and an order for it that
 * everybody knows, so that who is done can tell which parts of others are on their way.
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
  /** Parts that are neither in the bucket nor on their way from here. */
  readonly missing: readonly number[];
  /** On their way from here. */
  readonly inFlight: readonly number[];
  readonly place: Place;
  /** How many parts were sent from here, and by others, since this pod joined. */
  readonly mine: number;
  readonly theirs: number;
  /** What one part takes from here, in milliseconds. */
  readonly partTime: number;
  /** How long no part has come from anybody, in milliseconds. */
  readonly quietFor: number;
}

export type Move = { readonly kind: 'send'; readonly part: number } | { readonly kind: 'wait' };

const WAIT: Move = { kind: 'wait' };

/**
 * What to do next. Parts of others are seen only when they have arrived, so the more pods there are, the fewer each has
 * on its way. Who is done with his own share takes from the ends of others' shares, where they are not yet, and who is
 * done with his own as well takes another one. What is at the front of a share is on its way from where it is of, until
 * nothing has come from anybody for too long.
 */
export function nextMove(race: Race, random: () => number): Move {
  const { missing, inFlight, place } = race;
  if (missing.length === 0 || inFlight.length >= partsAtOnce(race)) return WAIT;
  const own = isAlone(race) ? missing : missing.filter((part) => isOfShare(part, place));
  const [first] = inOrderOf(place.index, own);
  if (first !== undefined) return { kind: 'send', part: first };
  const { helpers, back, front } = whatOthersHaveLeft(race);
  const toShareOut = isQuiet(race, 1) ? [...back, ...front] : back;
  const rank = helpers.indexOf(place.index);
  const part = toShareOut.find((one, at) => at % helpers.length === rank && missing.includes(one));
  if (part !== undefined) return { kind: 'send', part };
  // Those whose turn it was seem to be gone, too.
  if (!isQuiet(race, 2) || random() * helpers.length >= 1) return WAIT;
  return { kind: 'send', part: missing[Math.floor(random() * missing.length)] ?? 1 };
}

interface LeftOver {
  /** The places that are done with their shares, this one included, in order. */
  readonly helpers: readonly number[];
  /** Parts that nobody sends yet, those first that will be needed last. */
  readonly back: readonly number[];
  /** Parts that are on their way, or will be before anybody could help. */
  readonly front: readonly number[];
}

const FRONT = 2;

function whatOthersHaveLeft({ missing, inFlight, place }: Race): LeftOver {
  const left = [...missing, ...inFlight];
  const shares = Array.from({ length: place.of }, (_, index) =>
    index === place.index
      ? []
      : inOrderOf(
          index,
          left.filter((part) => isOfShare(part, { index, of: place.of })),
        ),
  );
  const back = shares.flatMap((share) => share.slice(FRONT).map((part, ahead) => ({ part, ahead })));
  return {
    helpers: shares.flatMap((share, index) => (share.length === 0 ? [index] : [])),
    back: back.toSorted((a, b) => b.ahead - a.ahead || a.part - b.part).map(({ part }) => part),
    front: shares.flatMap((share) => share.slice(0, FRONT)),
  };
}

/**
 * In the order in which a place sends them. All know it, and it is another one for each place: while places change,
 * because pods come and go, two that take the same part for theirs seldom begin with it.
 */
function inOrderOf(place: number, parts: readonly number[]): readonly number[] {
  const rank = (part: number): number =>
    Math.imul(Math.imul(part, 0x9e3779b1) ^ Math.imul(place + 1, 0x85ebca6b), 0xc2b2ae35) >>> 0;
  return parts.toSorted((a, b) => rank(a) - rank(b));
}

/** A part is late when it takes somebody so many times what one takes from here, and longer than a look or two. */
const LATE = 1.25;
const LATE_AT_LEAST_MS = 1000;

function isQuiet({ quietFor, partTime }: Race, times: number): boolean {
  return quietFor > times * Math.max(LATE_AT_LEAST_MS, LATE * partTime);
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

/** Most likely: whoever else has begun has sent next to nothing meanwhile. */
function isAlone(race: Race): boolean {
  return !hasOthers(race) && (race.place.of === 1 || race.mine >= UNTIL_ALONE);
}

/** Others are most likely to come at the start, where pods start together, and cannot see what is on its way then. */
function partsAtOnce(race: Race): number {
  const { mine, missing, inFlight } = race;
  if (isAlone(race)) return Math.min(AT_ONCE_ALONE, AT_ONCE_AT_FIRST + mine);
  const isMuch = hasOthers(race) && missing.length + inFlight.length > 20 * (othersIn(race) + 1);
  return isMuch ? 2 : AT_ONCE_AT_FIRST;
}

/**
 * How many others are sending. What came from them since this pod joined says what they are worth; a fast pod would take
 * many slow ones for few, so it counts heads too, but believes in so many only: some may be dead.
 */
function othersIn({ mine, theirs, place }: Race): number {
  const worth = theirs / Math.max(1, mine);
  return worth > NOBODY ? Math.max(worth, Math.min(place.of - 1, 4 * worth)) : worth;
}

/** How old, in milliseconds, one's picture of the upload may be. */
export function lookAgainAfter(race: Race): number {
  const { mine, partTime } = race;
  const isMostLikelyAlone = !hasOthers(race) && mine >= 2 * UNTIL_ALONE;
  return isMostLikelyAlone
    ? Math.min(5000, Math.max(1000, partTime))
    : Math.min(2000, Math.max(50, partTime / 4));
}

/** How long to wait, in milliseconds, where there is nothing to send now. */
export function pauseFor({ partTime }: Race): number {
  return Math.min(1000, Math.max(50, partTime / 4));
}
