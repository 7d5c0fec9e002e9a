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
  return placeOf(number, of) === index;
}

function placeOf(number: number, of: number): number {
  return (number - 1) % of;
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
interface Seen {
  /** Parts that are neither in the bucket nor on their way from here. */
  readonly missing: readonly number[];
  /** On their way from here. */
  readonly inFlight: readonly number[];
  readonly place: Place;
  /** How many parts were sent from here, and by others, since this pod joined. */
  readonly mine: number;
  readonly theirs: number;
  /** What one part takes from here, in milliseconds; before one was sent, what it took others. Undefined: nobody knows. */
  readonly partTime: number | undefined;
}

/** And hears of the others. */
interface Hearing {
  /** Places from which nothing comes. */
  readonly silent: ReadonlySet<number>;
  /** For how long nothing has come from anybody else, in milliseconds. */
  readonly quiet: number;
  /** For how long this pod has listened to others, in milliseconds. */
  readonly listening: number;
}

export interface Race extends Seen, Hearing {}

export type Move = { readonly kind: 'send'; readonly part: number } | { readonly kind: 'wait' };

const WAIT: Move = { kind: 'wait' };

/**
 * What to do next. Parts of others are seen only when they have arrived, so the more pods there are, the fewer each has
 * on its way. Who is done with his own share takes from the ends of others' shares, where they are not yet: each of the
 * helpers other parts. What is at the front of a share is left to where it is of, unless nothing comes from there.
 */
export function nextMove(race: Race): Move {
  const { missing, inFlight, place } = race;
  if (missing.length === 0 || inFlight.length >= partsAtOnce(race)) return WAIT;
  const own = isAlone(race) ? missing : missing.filter((part) => isOfShare(part, place));
  const work = own.length > 0 ? inOrderOf(place.index, own) : (workOf(race).get(place.index) ?? toTry(race));
  const part = work.find((one) => missing.includes(one));
  return part === undefined ? WAIT : { kind: 'send', part };
}

/**
 * A pod may have no share, because more were killed than there are parts. To send one is the only way to know what one
 * takes, and so for how long others may be silent. Only who came last tries: those who were killed came before.
 */
function toTry({ missing, place, mine, quiet }: Race): readonly number[] {
  const isLast = place.index === place.of - 1;
  return mine === 0 && quiet > LATE_AT_LEAST_MS && isLast ? inOrderOf(place.index, missing) : [];
}

/** What each place is to send next and then, as this one sees it: of its share; of who is done, what he helps with. */
type Work = ReadonlyMap<number, readonly number[]>;

/** Parts at the front of a share are on their way, or will be before anybody could help. */
const FRONT = 2;

function workOf({ missing, inFlight, place, silent }: Seen & Pick<Hearing, 'silent'>): Work {
  const { index: here, of } = place;
  const left = Map.groupBy([...missing, ...inFlight], (part) => placeOf(part, of));
  const shares = Array.from(left, ([index, share]) => [index, inOrderOf(index, share)] as const);
  const others = shares.filter(([index]) => index !== here);
  const isDone = (index: number): boolean =>
    index === here ? !missing.some((part) => isOfShare(part, place)) : !left.has(index) && !silent.has(index);
  const helpers = Array.from({ length: of }, (_, index) => index).filter(isDone);
  const back = others.flatMap(([, share]) => share.slice(FRONT).map((part, ahead) => ({ part, ahead })));
  const front = others.flatMap(([index, share]) => (silent.has(index) ? share.slice(0, FRONT) : []));
  const lastFirst = back.toSorted((a, b) => b.ahead - a.ahead || a.part - b.part).map(({ part }) => part);
  const help = Map.groupBy([...lastFirst, ...front], (part) => helperWith(part, helpers));
  return new Map([...shares.filter(([index]) => !isDone(index)), ...help]);
}

/** Who helps with a part: whoever else comes or goes, few parts change hands. */
function helperWith(part: number, helpers: readonly number[]): number {
  return helpers.toSorted((a, b) => rankOf(a, part) - rankOf(b, part))[0] ?? -1;
}

/**
 * In the order in which a place sends them. All know it, and it is another one for each place: while places change,
 * because pods come and go, two that take the same part for theirs seldom begin with it.
 */
function inOrderOf(place: number, parts: readonly number[]): readonly number[] {
  return parts.toSorted((a, b) => rankOf(place, a) - rankOf(place, b));
}

function rankOf(place: number, part: number): number {
  return Math.imul(Math.imul(part, 0x9e3779b1) ^ Math.imul(place + 1, 0x85ebca6b), 0xc2b2ae35) >>> 0;
}

/** What has been heard of the other places, and by what more is told the next time. */
export interface Heard extends Hearing {
  readonly of: number;
  /** What each is at, and since when. */
  readonly nexts: ReadonlyMap<number, { readonly part: number; readonly since: number }>;
  /** How many parts had come from them, and since when. */
  readonly theirs: number;
  readonly since: number;
  /** When the listening began: before anything can be sent, nobody is silent. */
  readonly began: number | undefined;
}

export const NOTHING_HEARD: Heard = {
  of: 1,
  nexts: new Map(),
  silent: new Set(),
  theirs: 0,
  since: 0,
  quiet: 0,
  began: undefined,
  listening: 0,
};

/** A place is silent when what it is at takes so many times what a part takes from here, and longer than a look or two. */
const LATE = 2;
const LATE_AT_LEAST_MS = 800;
/** Where there is nothing to compare with. */
const LATE_AT_FIRST_MS = 5000;

function lateAfter({ partTime }: Seen): number {
  return partTime === undefined ? LATE_AT_FIRST_MS : Math.max(LATE_AT_LEAST_MS, LATE * partTime);
}

/**
 * What a part took those who sent the parts that are there, in milliseconds, as far as it can be told: the upload may
 * have been left and gone on with.
 */
export function partTimeOfOthers(
  { initiated }: { readonly initiated: number },
  there: readonly { readonly modified: number }[],
): number | undefined {
  if (there.length === 0) return undefined;
  const newest = Math.max(...there.map(({ modified }) => modified));
  return Math.min(LATE_AT_FIRST_MS / LATE, Math.max(0, newest - initiated) / there.length);
}

/** The same a while later, `now` in milliseconds. A pod that was killed is silent from then on, and so is one that crawls. */
export function listen(before: Heard, seen: Seen, now: number): Heard {
  const { place, theirs } = seen;
  const began = before.began ?? (canSend(seen) ? now : undefined);
  const heard = before.of === place.of ? before : NOTHING_HEARD;
  const nexts = new Map<number, { part: number; since: number }>();
  const silent = new Set(heard.silent);
  const since = before.began !== undefined && before.theirs === theirs ? before.since : now;
  for (const [index, [part]] of workOf({ ...seen, silent })) {
    if (part === undefined || index === place.index) continue;
    const known = heard.nexts.get(index);
    const atItSince = known?.part === part ? known.since : now;
    nexts.set(index, { part, since: atItSince });
    if (now - atItSince > lateAfter(seen)) silent.add(index);
  }
  const listening = now - (began ?? now);
  return { of: place.of, nexts, silent, theirs, since, quiet: now - since, began, listening };
}

/** Until the file is proved, nothing is; and the others, who hold the same file, most likely send nothing either. */
function canSend({ missing, inFlight }: Seen): boolean {
  return missing.length + inFlight.length > 0;
}

/** Less than this of one's own speed may be the end of a pod that is gone. */
const NOBODY = 0.3;

/** Whether others are sending too. */
export function hasOthers(race: Race): boolean {
  return othersIn(race) > NOBODY;
}

/** Parts that this pod sent before it may believe that it is alone, where others have begun an upload too. */
const UNTIL_ALONE = 4;
/** They have had time to send something: who comes at the same moment may begin so much later. */
const UNTIL_ALONE_MS = 500;
const AT_ONCE_AT_FIRST = 1;
const AT_ONCE_ALONE = 4;

/** Most likely: whoever else has begun has sent next to nothing meanwhile. */
function isAlone(race: Race): boolean {
  const { place, mine, quiet, listening } = race;
  const isLeft = (mine >= UNTIL_ALONE && listening > UNTIL_ALONE_MS) || (mine > 0 && quiet > lateAfter(race));
  return !hasOthers(race) && (place.of === 1 || isLeft);
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

/** Until a part has shown how long one takes. */
const FIRST_PART_TIME_MS = 200;

/** How old, in milliseconds, one's picture of the upload may be. */
export function lookAgainAfter(race: Race): number {
  const { mine, partTime = FIRST_PART_TIME_MS } = race;
  const isMostLikelyAlone = isAlone(race) && mine >= 2 * UNTIL_ALONE;
  return isMostLikelyAlone
    ? Math.min(5000, Math.max(1000, partTime))
    : Math.min(2000, Math.max(50, partTime / 4));
}

/** How long to wait, in milliseconds, where there is nothing to send now. */
export function pauseFor({ partTime = FIRST_PART_TIME_MS }: Race): number {
  return Math.min(1000, Math.max(50, partTime / 4));
}
