import {
  listen,
  lookAgainAfter,
  nextMove,
  NOTHING_HEARD,
  pauseFor,
  type Race,
} from '../../src/model/part-sharing.ts';

/** One of the pods that hold the same file, and begin to send it. */
export interface Pod {
  /** Bytes a second that leave it. */
  readonly rate: number;
  /** Milliseconds after the first one. */
  readonly joins: number;
  /** Milliseconds from then until it begins to look and to send. */
  readonly chooses?: number;
  /** Milliseconds from when it joins until its file is proved: nothing is sent before. */
  readonly proves?: number;
  /** When it is killed, in the same milliseconds. */
  readonly dies?: number;
}

export interface Sharing {
  /** Of all that left the pods, over the bytes of the file. */
  readonly ratio: number;
  /** Until every pod that is alive sees all parts, in milliseconds. */
  readonly time: number;
}

const PART = 8_000_000;
const STEP_MS = 10;
/** From the last byte of a part until a list shows it. */
const SEEN_AFTER_MS = 30;
const PLACE_AGAIN_AFTER_MS = 300;
const GIVE_UP_AFTER_MS = 600_000;

/**
 * What becomes of pods that share a file of so many parts, by the decisions of `src/` and a clock of its own: nothing is
 * sent, and the same seed gives the same run. `dead` pods have begun before, and were killed. The links are all that limits.
 */
export function share(parts: number, pods: readonly Pod[], seed: number, dead = 0): Sharing {
  const random = randomFrom(seed);
  /** When each part can be seen by all. */
  const bucket = new Map<number, number>();
  const all = pods.map((pod) => new SimulatedPod(pod, parts, bucket, random, dead));
  let now = 0;
  while (all.some((pod) => pod.isAlive(now) && !pod.seesAll)) {
    now += STEP_MS;
    if (now > GIVE_UP_AFTER_MS) throw new Error('not all parts were sent in ten minutes');
    const joined = all.filter((pod) => pod.hasJoined(now));
    for (const pod of joined) if (pod.isAlive(now)) pod.step(now, joined);
  }
  return { ratio: all.reduce((sum, { sent }) => sum + sent, 0) / (parts * PART), time: now };
}

class SimulatedPod {
  sent = 0;
  readonly #pod: Pod;
  readonly #parts: number;
  readonly #bucket: Map<number, number>;
  readonly #random: () => number;
  readonly #dead: number;
  readonly #seen = new Set<number>();
  readonly #mine = new Set<number>();
  readonly #inFlight = new Map<number, { left: number; readonly since: number }>();
  #before: number | undefined;
  #place = { index: 0, of: 1 };
  #placedAt = -Infinity;
  #lookedAt = -Infinity;
  #heard = NOTHING_HEARD;
  #partTime: number | undefined;
  #wakesAt = 0;
  #isToListen = false;
  #isProved = false;

  constructor(pod: Pod, parts: number, bucket: Map<number, number>, random: () => number, dead: number) {
    this.#dead = dead;
    this.#pod = pod;
    this.#parts = parts;
    this.#bucket = bucket;
    this.#random = random;
  }

  get seesAll(): boolean {
    return this.#seen.size === this.#parts;
  }

  hasJoined(now: number): boolean {
    return now >= this.#pod.joins;
  }

  isAlive(now: number): boolean {
    return now < (this.#pod.dies ?? Infinity);
  }

  step(now: number, joined: readonly SimulatedPod[]): void {
    if (this.seesAll || now < this.#pod.joins + (this.#pod.chooses ?? 0)) return;
    this.#isProved = now >= this.#pod.joins + (this.#pod.proves ?? 0);
    const hasEnded = this.#send(now);
    if (!hasEnded && now < this.#wakesAt) return;
    for (;;) {
      if (now >= this.#lookedAt + lookAgainAfter(this.#race())) this.#look(now, joined);
      const move = nextMove(this.#race());
      if (move.kind === 'wait') break;
      this.#inFlight.set(move.part, { left: PART, since: now });
    }
    this.#wakesAt = now + pauseFor(this.#race());
  }

  #send(now: number): boolean {
    const bytesNow = (this.#pod.rate * STEP_MS * (0.85 + 0.3 * this.#random())) / 1000;
    const each = Math.ceil(bytesNow / this.#inFlight.size);
    let hasEnded = false;
    for (const [part, flight] of this.#inFlight) {
      const bytes = Math.min(each, flight.left);
      flight.left -= bytes;
      this.sent += bytes;
      if (flight.left > 0) continue;
      hasEnded = true;
      this.#inFlight.delete(part);
      this.#mine.add(part);
      this.#partTime = now - flight.since;
      if (!this.#bucket.has(part)) this.#bucket.set(part, now + SEEN_AFTER_MS);
      this.#seen.add(part);
    }
    return hasEnded;
  }

  #look(now: number, joined: readonly SimulatedPod[]): void {
    if (now - this.#placedAt >= PLACE_AGAIN_AFTER_MS) {
      this.#place = { index: this.#dead + joined.indexOf(this), of: this.#dead + joined.length };
      this.#placedAt = now;
      this.#isToListen = true;
    }
    for (const [part, seenAt] of this.#bucket) {
      if (seenAt > now || this.#seen.has(part)) continue;
      this.#seen.add(part);
      this.#inFlight.delete(part);
    }
    this.#before ??= this.#seen.size;
    this.#lookedAt = now;
    if (this.#isToListen) this.#heard = listen(this.#heard, this.#race(), now);
    this.#isToListen = false;
  }

  #race(): Race {
    const numbers = Array.from({ length: this.#parts }, (_, index) => index + 1);
    return {
      missing: numbers.filter((part) => this.#isProved && !this.#seen.has(part) && !this.#inFlight.has(part)),
      inFlight: [...this.#inFlight.keys()],
      place: this.#place,
      mine: this.#mine.size,
      theirs: this.#seen.size - this.#mine.size - (this.#before ?? 0),
      partTime: this.#partTime,
      silent: this.#heard.silent,
      quiet: this.#heard.quiet,
      listening: this.#heard.listening,
    };
  }
}

/** A small generator that is good enough for this, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
