import { BLOCK_BYTES } from './arrival.ts';

/** A request under way. */
export interface Flight {
  /** Bytes of the object: it has come so far, and is to come to here. */
  readonly reached: number;
  readonly end: number;
  /** Bytes per second, since it was asked for; 0 while nothing is known to have come. */
  readonly rate: number;
  /** Milliseconds since something came of it last, or since it was asked for. */
  readonly quietMs: number;
  /** It can be made to end earlier. */
  readonly canEndEarlier: boolean;
  /** It can be asked for once more. */
  readonly canBeDoubled: boolean;
}

/** What requests were like that have ended. */
export interface Usual {
  /** Bytes per second. */
  readonly rate: number;
  /** Milliseconds until the first byte came, where it came soonest: while the way is full, all take longer. */
  readonly beginMs: number;
}

/** What asking more often may take. */
export interface Spare {
  readonly requests: number;
  /** Of these, how many may be made by splitting others. */
  readonly splits: number;
  /** Bytes that may come twice. */
  readonly bytes: number;
}

/**
 * So many bytes may come twice by it. That is all behind a split, too: the store sends on until whoever receives has come
 * so far, and any number of bytes may be waiting for him.
 */
export type Remedy<T> =
  /** What is at `at` and behind it is asked for elsewhere, and not here. */
  | { readonly kind: 'split'; readonly flight: T; readonly at: number; readonly bytes: number }
  /** All that is left is asked for once more, beside it. */
  | { readonly kind: 'again'; readonly flight: T; readonly bytes: number };

/** Of all bytes, so many may be asked for twice. */
export const DOUBLED_SHARE = 0.03;

/** Milliseconds: what is told of a request may be so old. */
const NEWS_AGE_MS = 50;
/** Milliseconds: an answer that comes sooner is no reason to hurry. */
const LEAST_BEGIN_MS = 10;
/** What takes so many times as long as a new request until its first byte is worth one. */
const WORTH_SPLITTING = 2;
/** So many times as long, and what was lost would have been sent again, had its loss been noticed. */
const SILENT = 3;
const MUCH_SLOWER = 2;
/** Seconds: what is nearly done is not worth it. */
const WORTH_WAITING = 0.3;

/**
 * What to do about the last requests, when nothing else is left to ask for. A stream that has lost packets may be slower
 * than others for seconds. What others have room for is taken from those that would take longest, until all end at about
 * the same time; what cannot be split, and is slow or silent, is asked for again.
 */
export function remedies<T extends Flight>(
  flights: readonly T[],
  usual: Usual,
  { requests, splits, bytes }: Spare,
): readonly Remedy<T>[] {
  const chosen: Remedy<T>[] = [];
  let bytesLeft = bytes;
  const secondsOf = (flight: T): number => secondsLeft(flight, usual);
  for (const flight of flights.toSorted((a, b) => secondsOf(b) - secondsOf(a))) {
    if (chosen.length >= requests) break;
    const remedy = remedyFor(flight, usual, chosen.length < splits);
    if (remedy === undefined || remedy.bytes > bytesLeft) continue;
    chosen.push(remedy);
    bytesLeft -= remedy.bytes;
  }
  return chosen;
}

function remedyFor<T extends Flight>(flight: T, usual: Usual, maySplit: boolean): Remedy<T> | undefined {
  const { reached, end } = flight;
  const at = placeToSplit(flight, usual);
  if (at !== undefined && maySplit) return { kind: 'split', flight, at, bytes: end - at };
  // What only lacks room to be split is waited for.
  const isWorthIt = at === undefined ? isWorthAnother(flight, usual) : isSilent(flight, usual);
  // Of what is there to its end, only the last word is missing.
  const canBe = flight.canBeDoubled && reached < end;
  return canBe && isWorthIt ? { kind: 'again', flight, bytes: end - reached } : undefined;
}

/** Half of what will be left when it hears of it, where a block begins. */
function placeToSplit(flight: Flight, usual: Usual): number | undefined {
  const { reached, end, rate, canEndEarlier } = flight;
  if (!canEndEarlier || secondsLeft(flight, usual) < (WORTH_SPLITTING * beginMs(usual)) / 1000)
    return undefined;
  const from = reached + (rate * NEWS_AGE_MS) / 1000;
  const at = Math.ceil((from + end) / 2 / BLOCK_BYTES) * BLOCK_BYTES;
  return from < at && at < end ? at : undefined;
}

function isWorthAnother(flight: Flight, usual: Usual): boolean {
  const asUsual = (flight.end - flight.reached) / usual.rate;
  return isSilent(flight, usual) || secondsLeft(flight, usual) > MUCH_SLOWER * asUsual + WORTH_WAITING;
}

function isSilent({ quietMs }: Flight, usual: Usual): boolean {
  return quietMs > NEWS_AGE_MS + SILENT * beginMs(usual);
}

function beginMs(usual: Usual): number {
  return Math.max(LEAST_BEGIN_MS, usual.beginMs);
}

function secondsLeft(flight: Flight, usual: Usual): number {
  return (flight.end - flight.reached) / Math.max(1, likelyRate(flight, usual));
}

/** What has only just begun is taken to be as usual. */
function likelyRate(flight: Flight, usual: Usual): number {
  return flight.rate === 0 && !isSilent(flight, usual) ? usual.rate : flight.rate;
}
