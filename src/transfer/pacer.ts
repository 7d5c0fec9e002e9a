import {
  firstPace,
  grainOf,
  isBusy,
  nextPace,
  partBytes,
  type Pace,
  type PaceBounds,
} from '../model/pace.ts';
import { DOUBLED_SHARE, remedies, type Usual } from '../model/stragglers.ts';
import type { Ranges } from '../store/store.ts';
import { Lanes } from './lanes.ts';
import type { PartFetch } from './part-fetch.ts';
import type { Progress } from './progress.ts';

const SAMPLE_MS = 250;
/** By then it shows whether the first requests bring all that can be received. */
const FIRST_SAMPLE_MS = 100;
/** The last requests are looked at so often. */
const LOOK_MS = 25;
/** After a longer pause this thread was busy, and has not heard yet of what has come meanwhile. */
const LATE_MS = 2 * LOOK_MS;
/** Of the lanes: fewer fill the way by then, and more would push out each other's packets. */
const SHARE_AT_THE_END = 0.5;
const LEAST_AT_THE_END = 2;
/** Of what is known of the usual rate, so much is from the last part. */
const NEWS = 0.2;

/** Keeps the pace of all requests: how many lanes there are, and how much is asked for in each. */
export class Pacer {
  readonly lanes: Lanes;
  /** Of small files, whose requests are over before the way is full. */
  readonly smallLanes: Lanes;
  readonly #ranges: Pick<Ranges, 'takeLoad'>;
  readonly #progress: Progress;
  readonly #bounds: PaceBounds;
  readonly #first: NodeJS.Timeout;
  readonly #timer: NodeJS.Timeout;
  readonly #looking: NodeJS.Timeout;
  #pace: Pace;
  /** Bytes per second, of all requests together. */
  #rate = 0;
  #isKnown = false;
  #isThrottled = false;
  /** As far as it is known. */
  #isBusy = true;
  /** And no more were under way than may be: when there may be fewer, those that are too many come to their end. */
  #wasFull = true;
  #last: { readonly now: number; readonly bytes: number };
  #lookedAt = performance.now();
  /** Bytes that have been asked for. */
  #asked = 0;
  /** Bytes that may have come twice. */
  #doubled = 0;
  readonly #flights = new Set<PartFetch>();
  /** Of parts that have come. */
  #usual: Usual | undefined;

  constructor(ranges: Pick<Ranges, 'takeLoad'>, progress: Progress, bounds: PaceBounds) {
    this.#ranges = ranges;
    this.#progress = progress;
    this.#bounds = bounds;
    this.#pace = firstPace(undefined, bounds);
    this.lanes = new Lanes(this.#pace.width);
    this.smallLanes = new Lanes(this.#pace.smallWidth);
    this.#last = { now: performance.now(), bytes: 0 };
    // From now on.
    ranges.takeLoad();
    this.#first = setTimeout(() => this.#sample(), FIRST_SAMPLE_MS);
    this.#first.unref();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#timer.unref();
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    this.#looking.unref();
  }

  /** How long the store takes to accept a connection; the first that is known counts. */
  know(roundTripMs: number | undefined): void {
    if (this.#isKnown || roundTripMs === undefined) return;
    this.#isKnown = true;
    this.#use(firstPace(roundTripMs, this.#bounds));
  }

  /** Bytes to ask for now, of a file that is proved part by part, or as a whole. */
  next(isProvedInParts: boolean): number {
    const total = this.#progress.bytesTotal;
    const left = Math.max(0, total - this.#asked);
    return partBytes(this.#pace, { total, left, rate: this.#rate, isProvedInParts }, this.#bounds);
  }

  /** Where requests are to begin and end, if it can be had, in bytes: at parts of this size. */
  grain(partSize: number | undefined): number {
    return grainOf(this.#pace, partSize, this.#bounds);
  }

  /** What has to be asked for again is taken back. */
  asked(bytes: number): void {
    this.#asked += bytes;
  }

  /** Near the end, what others wait for is split, or asked for again. */
  async watching(part: PartFetch, fetch: () => Promise<void>): Promise<void> {
    this.#flights.add(part);
    try {
      await fetch();
      this.#note(part);
    } finally {
      this.#flights.delete(part);
    }
  }

  /** The store has said that it is too much. */
  throttled(): void {
    this.#isThrottled = true;
  }

  stop(): void {
    clearTimeout(this.#first);
    clearInterval(this.#timer);
    clearInterval(this.#looking);
  }

  #sample(): void {
    const now = performance.now();
    const bytes = this.#progress.bytesCome;
    const rate = ((bytes - this.#last.bytes) * 1000) / (now - this.#last.now);
    this.#rate = rate;
    const load = this.#ranges.takeLoad();
    const isFull = this.lanes.isFull || this.smallLanes.isFull;
    this.#isBusy = isBusy(load);
    const sample = {
      now,
      rate,
      isFull: isFull && this.#wasFull,
      load,
      isThrottled: this.#isThrottled,
    };
    this.#use(nextPace(this.#pace, sample, this.#bounds));
    this.#last = { now, bytes };
    this.#isThrottled = false;
    this.#wasFull = isFull && this.lanes.active <= this.lanes.width;
  }

  #note({ rate, beginMs = Infinity }: PartFetch): void {
    const known = this.#usual ?? { rate, beginMs };
    this.#usual = {
      rate: known.rate * (1 - NEWS) + rate * NEWS,
      beginMs: Math.min(known.beginMs, beginMs),
    };
  }

  #look(): void {
    const now = performance.now();
    const isLate = now - this.#lookedAt > LATE_MS;
    this.#lookedAt = now;
    const isAllAsked = this.#asked >= this.#progress.bytesTotal && !this.lanes.isFull;
    if (isLate || !isAllAsked || this.#usual === undefined) return;
    const flights = [...this.#flights];
    const { width } = this.lanes;
    const active = this.lanes.active + flights.filter(({ isDoubled }) => isDoubled).length;
    const mostAtTheEnd = Math.max(LEAST_AT_THE_END, Math.ceil(width * SHARE_AT_THE_END));
    const spare = {
      requests: width - active,
      // Where whoever receives is busy, bytes wait for him: they would be lost.
      splits: this.#isBusy ? 0 : mostAtTheEnd - active,
      bytes: this.#progress.bytesTotal * DOUBLED_SHARE - this.#doubled,
    };
    for (const remedy of remedies(flights, this.#usual, spare)) {
      this.#doubled += remedy.bytes;
      if (remedy.kind === 'split') remedy.flight.endAt(remedy.at);
      else remedy.flight.askAgain();
    }
  }

  #use(pace: Pace): void {
    this.#pace = pace;
    this.lanes.width = pace.width;
    this.smallLanes.width = pace.smallWidth;
  }
}
