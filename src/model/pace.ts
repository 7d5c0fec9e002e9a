import type { ByteRange } from './parts.ts';
import { DOUBLED_SHARE } from './stragglers.ts';

/** How much is asked for at once, and side by side. */
export interface Pace {
  /** Requests side by side. */
  readonly width: number;
  /** The same for whole small files, of which the way there and back is most. */
  readonly smallWidth: number;
  /** Bytes; no request is for less, but the last ones. */
  readonly leastPart: number;
  /** How many there were before, and what that brought: what is being tried since has to be worth it. */
  readonly trial: { readonly from: number; readonly rate: number } | undefined;
  /** Nothing is tried before; ms as in the samples. */
  readonly restsUntil: number;
  /** Milliseconds: so long is the next rest. */
  readonly restMs: number;
}

/** What no pace goes beyond. */
export interface PaceBounds {
  /** Requests for parts of large files side by side; beside them, so many for small files. */
  readonly width: number;
  /** Bytes of one request. */
  readonly partBytes: number;
}

/** What was seen since the sample before. */
export interface PaceSample {
  /** Milliseconds, of any clock that only goes forward. */
  readonly now: number;
  /** Bytes per second. */
  readonly rate: number;
  /** As many requests as may be side by side were, all the time, and no more. */
  readonly isFull: boolean;
  /** Of the time, the share in which whoever receives could not have received more; 0 to 1. */
  readonly load: number;
  /** The store has said that it is too much. */
  readonly isThrottled: boolean;
}

const MiB = 1024 * 1024;
/** Requests begin and end at multiples of it, but for where what is missing does; stores keep objects in such blocks. */
const GRAIN_BYTES = 1 * MiB;
/** Enough for a server nearby. */
const NEARBY = 4;
const FEWEST = 2;
/** So much is asked for at once, of much. */
const DUE_BYTES = 16 * MiB;
/** Of what is proved part by part, more, as long as all requests together span no more than this. */
const SPAN_BYTES = 128 * MiB;
/** With more, what is left of a file near its end is too little for parts of the format. */
const MANY = 32;
/** What is done sooner is not worth its request. */
const LEAST_SECONDS = 0.03;
const LEAST_PART = 1 * MiB;
/** Below it, a stream is not held back by the way there. */
const NEAR_MS = 4;
const WIDTH_PER_MS = 4;
const SMALL_FOR_ONE = 16;
const GROWTH = 2;
/** Where whoever receives has time for so many times as much. */
const FAST_GROWTH = 4;
const REST_MS = 2000;
const LONGEST_REST_MS = 30_000;
/** What twice as many requests have to bring, and half as many: else it is as before. */
const WORTHWHILE = 1.2;
const AS_GOOD = 0.9;
/** Who waits less than the rest of the time is what holds up the others: more requests bring nothing sooner. */
const BUSY = 0.65;

/** To begin with; the farther away a store is, the more requests it takes to fill the way. */
export function firstPace(roundTripMs: number | undefined, bounds: PaceBounds): Pace {
  const far =
    roundTripMs === undefined || roundTripMs < NEAR_MS ? NEARBY : Math.ceil(roundTripMs * WIDTH_PER_MS);
  const width = Math.max(1, Math.min(bounds.width, Math.max(NEARBY, far)));
  const smallWidth = Math.max(1, Math.min(bounds.width, width * SMALL_FOR_ONE));
  return { width, smallWidth, leastPart: LEAST_PART, trial: undefined, restsUntil: 0, restMs: REST_MS };
}

export function isBusy(load: number): boolean {
  return load > BUSY;
}

/**
 * Wider while that helps; narrower, where whoever receives is busy, while that does no harm; and narrower, with larger
 * parts, when the store says that it is too much, until it has not for a while.
 */
export function nextPace(pace: Pace, sample: PaceSample, bounds: PaceBounds): Pace {
  const { width, smallWidth, leastPart, trial, restsUntil, restMs } = pace;
  const { now, rate, isFull, load, isThrottled } = sample;
  if (isThrottled) {
    const half = (count: number): number =>
      Math.max(Math.min(FEWEST, bounds.width), Math.floor(count / GROWTH));
    return {
      width: half(width),
      smallWidth: half(smallWidth),
      leastPart: Math.min(bounds.partBytes, DUE_BYTES, leastPart * 2),
      trial: undefined,
      restsUntil: now + REST_MS,
      restMs: REST_MS,
    };
  }
  // What was too much for a moment need not be too much for ever.
  const smaller = Math.max(LEAST_PART, Math.floor(leastPart / GROWTH));
  const calm = { ...pace, leastPart: now < restsUntil ? leastPart : smaller };
  if (!isFull) return calm;
  const restsFrom = { trial: undefined, restsUntil: now + restMs };
  // What has not helped is tried ever less often.
  if (trial !== undefined && !wasWorthIt(trial, width, rate))
    return { ...calm, ...restsFrom, width: trial.from, restMs: Math.min(LONGEST_REST_MS, restMs * 2) };
  const kept = { ...calm, trial: undefined, restMs: trial === undefined ? restMs : REST_MS };
  if (now < restsUntil) return kept;
  if (isBusy(load)) {
    const narrower = Math.max(Math.min(NEARBY, width), Math.floor(width / GROWTH));
    if (narrower === width) return kept;
    if (trial !== undefined && trial.from < width) return { ...kept, ...restsFrom };
    // Step by step, each a little worse than the one before, it could become much worse.
    return { ...kept, width: narrower, trial: { from: width, rate: Math.max(rate, trial?.rate ?? 0) } };
  }
  const growth = load < BUSY / FAST_GROWTH ? FAST_GROWTH : GROWTH;
  const wider = (count: number): number => Math.min(bounds.width, count * growth);
  if (wider(width) === width) return kept;
  return { ...kept, width: wider(width), smallWidth: wider(smallWidth), trial: { from: width, rate } };
}

function wasWorthIt(
  trial: { readonly from: number; readonly rate: number },
  width: number,
  rate: number,
): boolean {
  return rate >= trial.rate * (width > trial.from ? WORTHWHILE : AS_GOOD);
}

/** What is known when more is asked for. */
export interface Remaining {
  /** Bytes of all of it, and of what has not been asked for yet. */
  readonly total: number;
  readonly left: number;
  /** Bytes per second, of all requests together; 0 while it is not known. */
  readonly rate: number;
  /** The file is proved part by part, as they come; else it is hashed from its beginning on, which should come first. */
  readonly isProvedInParts: boolean;
}

/**
 * Bytes to ask for next: large ones first, since each request has its price, and ever smaller ones towards the end, so
 * that all are done at the same time. Each takes a moment at least, and none is more than may be asked for twice, but where
 * it is the least there is.
 */
export function partBytes(
  { width, leastPart }: Pace,
  { total, left, rate, isProvedInParts }: Remaining,
  bounds: PaceBounds,
): number {
  const share = wholeGrains(left / (2 * width), Math.ceil);
  const moment = wholeGrains((rate / width) * LEAST_SECONDS, Math.floor);
  const due = isProvedInParts ? Math.max(DUE_BYTES, SPAN_BYTES / width) : DUE_BYTES;
  const most = wholeGrains(Math.min(due, total * DOUBLED_SHARE), Math.floor);
  return Math.max(leastPart, Math.min(bounds.partBytes, most, Math.max(share, moment)));
}

function wholeGrains(bytes: number, round: (grains: number) => number): number {
  return round(bytes / GRAIN_BYTES) * GRAIN_BYTES;
}

/**
 * Where requests begin and end, in bytes. What is proved by parts is proved on its way when it comes in whole parts; where
 * it takes many requests to fill the way, these are smaller.
 */
export function grainOf({ width }: Pace, partSize: number | undefined, bounds: PaceBounds): number {
  if (partSize === undefined || partSize % GRAIN_BYTES !== 0 || partSize > bounds.partBytes)
    return GRAIN_BYTES;
  return width <= MANY ? partSize : GRAIN_BYTES;
}

/** Of `ranges`, the first bytes, up to a grain's beginning; and what is left then. */
export function takePart(
  ranges: readonly ByteRange[],
  bytes: number,
  grain = GRAIN_BYTES,
): { readonly part: ByteRange | undefined; readonly left: readonly ByteRange[] } {
  const [first, ...others] = ranges;
  if (first === undefined) return { part: undefined, left: [] };
  const end = Math.floor((first.start + Math.max(bytes, grain)) / grain) * grain;
  if (end >= first.end || end <= first.start) return { part: first, left: others };
  return { part: { start: first.start, end }, left: [{ start: end, end: first.end }, ...others] };
}
