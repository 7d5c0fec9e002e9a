import type { ByteRange } from './parts.ts';

/** How much is asked for at once, and side by side. */
export interface Pace {
  /** Requests side by side. */
  readonly width: number;
  /** The same for whole small files, of which the way there and back is most. */
  readonly smallWidth: number;
  /** Bytes; no request is for less, but the last ones. */
  readonly leastPart: number;
  /** What is being tried, and what it has to be better than. */
  readonly trial: { readonly from: number; readonly rate: number } | undefined;
  /** Nothing is tried before; ms as in the samples. */
  readonly restsUntil: number;
}

/** What no pace goes beyond. */
export interface PaceBounds {
  /** Requests for parts of large files side by side; beside them, so many for small files. */
  readonly width: number;
  /** Bytes of one request. */
  readonly partBytes: number;
}

/** What of those who receive is known since it was asked for last. */
export interface Load {
  /** Of the time, the share in which none of them could have received more; 0 to 1. */
  readonly share: number;
  /** Threads that receive. */
  readonly receivers: number;
}

/** Where nothing is known of them. */
export const NO_LOAD: Load = { share: 0, receivers: 0 };

/** What was seen since the sample before. */
export interface PaceSample {
  /** Milliseconds, of any clock that only goes forward. */
  readonly now: number;
  /** Bytes per second. */
  readonly rate: number;
  /** All requests that may be side by side were, all the time. */
  readonly isFull: boolean;
  /** Whoever receives had hardly a pause: more requests bring nothing sooner. */
  readonly isBusy: boolean;
  /** Threads that receive, each of which one request can keep busy. */
  readonly receivers: number;
  /** The store has said that it is too much. */
  readonly isThrottled: boolean;
}

const MiB = 1024 * 1024;
/** Requests begin and end at multiples of it, but for where what is missing does; stores keep objects in such blocks. */
const GRAIN_BYTES = 1 * MiB;
/** Enough for a server nearby. */
const NEARBY = 4;
const FEWEST = 2;
/** Requests side by side span so much together, where that leaves each its due: a file is hashed from its beginning on. */
const SPAN_BYTES = 128 * MiB;
const DUE_BYTES = 16 * MiB;
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
const WORTHWHILE = 1.2;
const REST_MS = 2000;

/** To begin with; the farther away a store is, the more requests it takes to fill the way. */
export function firstPace(roundTripMs: number | undefined, bounds: PaceBounds): Pace {
  const far =
    roundTripMs === undefined || roundTripMs < NEAR_MS ? NEARBY : Math.ceil(roundTripMs * WIDTH_PER_MS);
  const width = Math.max(1, Math.min(bounds.width, Math.max(NEARBY, far)));
  const smallWidth = Math.max(1, Math.min(bounds.width, width * SMALL_FOR_ONE));
  return { width, smallWidth, leastPart: LEAST_PART, trial: undefined, restsUntil: 0 };
}

/**
 * Wider while that helps; narrower where fewer keep whoever receives busy, and narrower, with larger parts, when the
 * store says that it is too much.
 */
export function nextPace(
  pace: Pace,
  { now, rate, isFull, isBusy, receivers, isThrottled }: PaceSample,
  bounds: PaceBounds,
): Pace {
  const { width, smallWidth, leastPart, trial, restsUntil } = pace;
  const rested = { trial: undefined, restsUntil: now + REST_MS };
  if (isThrottled) {
    const half = (count: number): number =>
      Math.max(Math.min(FEWEST, bounds.width), Math.floor(count / GROWTH));
    return {
      width: half(width),
      smallWidth: half(smallWidth),
      leastPart: Math.min(bounds.partBytes, leastPart * 2),
      ...rested,
    };
  }
  if (isBusy) {
    const fewest = Math.max(FEWEST, receivers);
    const narrower = Math.max(Math.min(fewest, width), Math.floor(width / GROWTH));
    return { ...pace, width: narrower, trial: undefined };
  }
  if (!isFull) return { ...pace, trial: undefined };
  if (trial !== undefined && rate < trial.rate * WORTHWHILE) return { ...pace, width: trial.from, ...rested };
  const wider = (count: number): number => Math.min(bounds.width, count * GROWTH);
  if (now < restsUntil || wider(width) === width) return { ...pace, trial: undefined };
  return { ...pace, width: wider(width), smallWidth: wider(smallWidth), trial: { from: width, rate } };
}

/**
 * Bytes to ask for next, where `left` have not been asked for: large ones first, since each request has its price, and
 * ever smaller ones towards the end, so that all are done at the same time. At `rate`, in bytes per second of all
 * together, each takes a moment at least.
 */
export function partBytes({ width, leastPart }: Pace, left: number, bounds: PaceBounds, rate = 0): number {
  const share = Math.ceil(left / (2 * width) / GRAIN_BYTES) * GRAIN_BYTES;
  const least = Math.floor(((rate / width) * LEAST_SECONDS) / GRAIN_BYTES) * GRAIN_BYTES;
  const most = Math.min(bounds.partBytes, Math.max(DUE_BYTES, SPAN_BYTES / width));
  return Math.max(leastPart, Math.min(most, Math.max(share, least)));
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
