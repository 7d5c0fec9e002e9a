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

export type Remedy<T> =
  /** What is at `at` and behind it is asked for elsewhere, and not here. */
  | { readonly kind: 'split'; readonly flight: T; readonly at: number }
  /** All that is left is asked for once more, beside it. */
  | { readonly kind: 'again'; readonly flight: T };

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
  let bytesTwice = 0;
  const secondsOf = (flight: T): number => secondsLeft(flight, usual);
  for (const flight of flights.toSorted((a, b) => secondsOf(b) - secondsOf(a))) {
    if (chosen.length >= requests) break;
    const left = flight.end - flight.reached;
    const at = placeToSplit(flight, usual);
    if (at !== undefined && chosen.length < splits) chosen.push({ kind: 'split', flight, at });
    else if (isWorthAnother(flight, usual) && bytesTwice + left <= bytes) {
      chosen.push({ kind: 'again', flight });
      bytesTwice += left;
    }
  }
  return chosen;
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
  // Of what is there to its end, only the last word is missing.
  if (!flight.canBeDoubled || flight.reached >= flight.end) return false;
  if (isSilent(flight, usual)) return true;
  const asUsual = (flight.end - flight.reached) / usual.rate;
  return secondsLeft(flight, usual) > MUCH_SLOWER * asUsual + WORTH_WAITING;
}

function isSilent({ quietMs }: Flight, usual: Usual): boolean {
  return quietMs > NEWS_AGE_MS + SILENT * beginMs(usual);
}

function beginMs(usual: Usual): number {
  return Math.max(LEAST_BEGIN_MS, usual.beginMs);
}

/** What has only just begun is taken to be as usual. */
function secondsLeft(flight: Flight, usual: Usual): number {
  const { reached, end, rate } = flight;
  const likely = rate === 0 && !isSilent(flight, usual) ? usual.rate : rate;
  return (end - reached) / Math.max(1, likely);
}
