import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  listen,
  lookAgainAfter,
  mayBeMd5,
  nextMove,
  NOTHING_HEARD,
  partTimeOfOthers,
  pauseFor,
  rangeOfPart,
  rightParts,
  type Place,
  type Race,
} from '../model/part-sharing.ts';
import { rangesOf } from '../model/parts.ts';
import type { OpenUpload, SentPart } from '../store/store.ts';
import type { Lanes } from './lanes.ts';
import { Flight, OpaqueEtags, PartSender, type SenderTools } from './part-sender.ts';
import type { PartsProof } from './parts-proof.ts';

/** Pods come and go; who takes which share need not be known to the second. */
const PLACE_AGAIN_AFTER_MS = 300;

export interface RaceTools extends SenderTools {
  /** Of all files together. */
  readonly lanes: Lanes;
  readonly signal: AbortSignal;
}

/** An upload, and who takes part in it. */
export interface Meeting {
  /** Files of a lower turn are sent before others. */
  readonly turn: number;
  readonly upload: OpenUpload;
  /** This pod has begun it: nobody else adds to it who has not come later. */
  readonly isOwn: boolean;
  /** One's place among them now. */
  readonly place: () => Promise<Place>;
}

/**
 * Sends what is missing of one upload, beside others who do the same, until every part is there and the file is proved.
 * Returns the parts, each with the MD5 of one's own bytes. Throws `OpaqueEtags`, `object-upload-gone`, or what the store
 * or the file says; what was sent by then stays in the upload.
 *
 * While this pod is the only one, a part is sent as soon as its MD5 is known. Once somebody else takes part, nothing more
 * is sent until the whole is proved. Whoever comes later counts a part by the MD5 of his own bytes, so what was sent
 * until he was seen can do him no harm.
 */
export async function sendMissingParts(
  meeting: Meeting,
  file: FileHandle,
  own: PartsProof,
  tools: RaceTools,
): Promise<readonly SentPart[]> {
  return new PartRace(meeting, file, own, tools).run();
}

class PartRace {
  readonly #meeting: Meeting;
  readonly #own: PartsProof;
  readonly #sender: PartSender;
  readonly #tools: RaceTools;
  readonly #numbers: readonly number[];
  readonly #there = new Map<number, SentPart>();
  /** Parts that were there before this pod came. */
  readonly #before = new Set<number>();
  readonly #mine = new Set<number>();
  readonly #inFlight = new Map<number, { readonly flight: Flight; readonly work: Promise<void> }>();
  /** Somebody else takes part, or may. */
  #hasOthers: boolean;
  #failure: { readonly error: unknown } | undefined;
  #lookedAt: number | undefined;
  /** Milliseconds that the last look took. */
  #lookTook = 0;
  #looking: Promise<void> | undefined;
  #place: Place = { index: 0, of: 1 };
  #placedAt = -Infinity;
  #partTime: number | undefined;
  #heard = NOTHING_HEARD;
  readonly #ending = new AbortController();

  constructor(meeting: Meeting, file: FileHandle, own: PartsProof, tools: RaceTools) {
    this.#meeting = meeting;
    this.#own = own;
    this.#sender = new PartSender(meeting.upload, file, own, tools);
    this.#tools = tools;
    this.#hasOthers = !meeting.isOwn;
    this.#numbers = rangesOf(own.size, own.partSize).map((_, index) => index + 1);
  }

  async run(): Promise<readonly SentPart[]> {
    try {
      while (this.#there.size < this.#numbers.length) {
        this.#tools.signal.throwIfAborted();
        const failure = this.#failure ?? this.#own.failure;
        if (failure !== undefined) throw failure.error;
        this.#lookWhenDue();
        // Before the first look, nobody knows what is missing.
        if (this.#lookedAt === undefined) await this.#looking;
        const move = this.#lookedAt === undefined ? undefined : nextMove(this.#race());
        if (move?.kind === 'send') this.#start(move.part);
        else await this.#pause();
      }
      await this.#own.whole;
      return [...this.#there.values()];
    } finally {
      this.#ending.abort();
      for (const { flight } of this.#inFlight.values()) flight.stop.abort();
      await Promise.allSettled([this.#looking, ...this.#flights()]);
    }
  }

  #race(): Race {
    const isMissing = (number: number): boolean => !this.#there.has(number) && !this.#inFlight.has(number);
    const mayBeSent = this.#own.isWhole || !this.#hasOthers ? this.#own.md5s.length : 0;
    return {
      missing: this.#numbers.slice(0, mayBeSent).filter(isMissing),
      inFlight: [...this.#inFlight.keys()],
      place: this.#place,
      mine: this.#mine.size,
      theirs: this.#there.size - this.#mine.size - this.#before.size,
      partTime: this.#partTime,
      silent: this.#heard.silent,
      quiet: this.#heard.quiet,
      listening: this.#heard.listening,
    };
  }

  /** Beside the sending: a list of thousands of parts is several requests, one after the other. */
  #lookWhenDue(): void {
    const pause = Math.max(this.#lookTook, lookAgainAfter(this.#race()));
    const isDue = performance.now() >= (this.#lookedAt ?? -Infinity) + pause;
    if (!isDue || this.#looking !== undefined) return;
    this.#looking = this.#look()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async #look(): Promise<void> {
    const { multiparts, progress } = this.#tools;
    const signal = AbortSignal.any([this.#tools.signal, this.#ending.signal]);
    const began = performance.now();
    const listed = await multiparts.parts(this.#meeting.upload, signal);
    progress.sign();
    const isToListen = performance.now() - this.#placedAt >= PLACE_AGAIN_AFTER_MS;
    if (isToListen) {
      this.#place = await this.#meeting.place();
      this.#placedAt = performance.now();
    }
    if (listed.some(({ etag }) => !mayBeMd5(etag))) throw new OpaqueEtags();
    this.#hasOthers ||= this.#place.of > 1 || listed.some(({ number }) => !this.#isMine(number));
    this.#partTime ??= partTimeOfOthers(this.#meeting.upload, listed);
    for (const [number, part] of rightParts(this.#own, listed)) {
      if (!this.#there.has(number) && this.#lookedAt === undefined) this.#before.add(number);
      this.#there.set(number, part);
      const flight = this.#inFlight.get(number)?.flight;
      // What was sent whole is most likely what was just seen: to wait for its answer costs nothing.
      if (flight !== undefined && !flight.isSent) flight.stop.abort();
    }
    this.#lookedAt = performance.now();
    this.#lookTook = this.#lookedAt - began;
    if (isToListen) this.#heard = listen(this.#heard, this.#race(), this.#lookedAt);
  }

  #isMine(number: number): boolean {
    return this.#mine.has(number) || this.#inFlight.has(number);
  }

  #start(number: number): void {
    const { start, end } = rangeOfPart(this.#own, number);
    const flight = new Flight(number, end - start);
    const stopped = flight.stop.signal;
    const signal = AbortSignal.any([this.#tools.signal, stopped]);
    const send = (): Promise<void> => (signal.aborted ? Promise.resolve() : this.#send(flight, signal));
    const work = this.#tools.lanes
      .run(this.#meeting.turn, send)
      .catch((error: unknown) => {
        // Stopped because somebody else's copy has arrived: nothing is lost.
        if (!stopped.aborted) this.#failure ??= { error };
      })
      .finally(() => this.#inFlight.delete(number));
    this.#inFlight.set(number, { flight, work });
  }

  async #send(flight: Flight, signal: AbortSignal): Promise<void> {
    const begin = performance.now();
    const part = await this.#sender.send(flight, signal);
    this.#partTime = performance.now() - begin;
    this.#mine.add(part.number);
    this.#there.set(part.number, part);
  }

  #flights(): readonly Promise<void>[] {
    return Array.from(this.#inFlight.values(), ({ work }) => work);
  }

  /** Until something has happened, or it is time to look. */
  async #pause(): Promise<void> {
    const pause = new AbortController();
    const signal = AbortSignal.any([pause.signal, this.#tools.signal]);
    await Promise.race([
      ...this.#flights(),
      ...(this.#looking === undefined ? [] : [this.#looking]),
      // It would never settle, and keep what waits for it.
      ...(this.#own.isWhole ? [] : [this.#own.more()]),
      sleep(pauseFor(this.#race()), undefined, { signal }).catch(() => undefined),
    ]);
    pause.abort();
  }
}
