import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { rangesOf, type ByteRange } from '../model/parts.ts';
import {
  lookAgainAfter,
  mayBeMd5,
  nextMove,
  pauseFor,
  rangeOfPart,
  rightParts,
  type Place,
  type Race,
} from '../model/part-sharing.ts';
import type { Lanes } from './lanes.ts';
import type { PartsProof } from './parts-proof.ts';
import {
  isWorthRetrying,
  type Multiparts,
  type OpenUpload,
  type PartToSend,
  type SentPart,
} from '../store/store.ts';
import type { Progress } from './progress.ts';
import { withRetries } from './retry.ts';
import type { Throttle } from './throttle.ts';

const ATTEMPTS = 4;
const MD5_BLOCK = 1024 * 1024;
/** A store that has too much to do for some seconds must not cost a whole upload. */
const ATTEMPTS_WHEN_OVERLOADED = 6;
/** Until a part has shown how long one takes. */
const FIRST_PART_TIME_MS = 200;
/** Pods come and go; who takes which share need not be known to the second. */
const PLACE_AGAIN_AFTER_MS = 500;

/** ETags of this store say nothing of the content: what others sent cannot be told from anything else. */
export class OpaqueEtags extends Error {}

export interface RaceTools {
  readonly multiparts: Multiparts;
  readonly progress: Progress;
  readonly throttle: Throttle;
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

/** A part on its way. */
interface Flight {
  readonly stop: AbortController;
  /** Bytes of it that have been given to the connection; all, though nobody has said that it arrived. */
  sent: number;
  readonly size: number;
}

function isSent({ sent, size }: Flight): boolean {
  return sent === size;
}

class PartRace {
  readonly #meeting: Meeting;
  readonly #upload: OpenUpload;
  readonly #file: FileHandle;
  readonly #own: PartsProof;
  readonly #tools: RaceTools;
  readonly #numbers: readonly number[];
  readonly #there = new Map<number, SentPart>();
  /** Parts that were there before this pod came. */
  readonly #before = new Set<number>();
  readonly #mine = new Set<number>();
  readonly #inFlight = new Map<number, Flight & { readonly work: Promise<void> }>();
  /** Memory of parts that have arrived, for pieces of the next ones. */
  readonly #spare: Buffer[] = [];
  /** Somebody else takes part, or may. */
  #hasOthers: boolean;
  #failure: { readonly error: unknown } | undefined;
  #lookedAt: number | undefined;
  #place: Place = { index: 0, of: 1 };
  #placedAt = -Infinity;
  #partTime = FIRST_PART_TIME_MS;
  #lastArrivalAt = performance.now();

  constructor(meeting: Meeting, file: FileHandle, own: PartsProof, tools: RaceTools) {
    this.#meeting = meeting;
    this.#upload = meeting.upload;
    this.#file = file;
    this.#own = own;
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
        await this.#lookWhenDue();
        const move = nextMove(this.#race(), Math.random);
        if (move.kind === 'send') this.#start(move.part);
        else await this.#pause();
      }
      await this.#own.whole;
      return [...this.#there.values()];
    } finally {
      for (const { stop } of this.#inFlight.values()) stop.abort();
      await Promise.allSettled(Array.from(this.#inFlight.values(), ({ work }) => work));
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
      quietFor: performance.now() - this.#lastArrivalAt,
    };
  }

  async #lookWhenDue(): Promise<void> {
    const dueAt = (this.#lookedAt ?? -Infinity) + lookAgainAfter(this.#race());
    if (performance.now() < dueAt) return;
    const { multiparts, progress, signal } = this.#tools;
    const listed = await multiparts.parts(this.#upload, signal);
    progress.sign();
    if (performance.now() - this.#placedAt >= PLACE_AGAIN_AFTER_MS) {
      this.#place = await this.#meeting.place();
      this.#placedAt = performance.now();
    }
    if (listed.some(({ etag }) => !mayBeMd5(etag))) throw new OpaqueEtags();
    this.#hasOthers ||= this.#place.of > 1 || listed.some(({ number }) => !this.#isMine(number));
    for (const [number, part] of rightParts(this.#own, listed)) {
      if (!this.#there.has(number) && this.#lookedAt === undefined) this.#before.add(number);
      this.#arrived(part);
      const flight = this.#inFlight.get(number);
      // What was sent whole is most likely what was just seen: to wait for its answer costs nothing.
      if (flight !== undefined && !isSent(flight)) flight.stop.abort();
    }
    this.#lookedAt = performance.now();
  }

  #isMine(number: number): boolean {
    return this.#mine.has(number) || this.#inFlight.has(number);
  }

  #start(number: number): void {
    const { start, end } = rangeOfPart(this.#own, number);
    const flight: Flight = { stop: new AbortController(), sent: 0, size: end - start };
    const { stop } = flight;
    const signal = AbortSignal.any([this.#tools.signal, stop.signal]);
    const send = (): Promise<void> =>
      signal.aborted ? Promise.resolve() : this.#send(number, flight, signal);
    const work = this.#tools.lanes
      .run(this.#meeting.turn, send)
      .catch((error: unknown) => {
        // Stopped because somebody else's copy has arrived: nothing is lost.
        if (!stop.signal.aborted) this.#failure ??= { error };
      })
      .finally(() => this.#inFlight.delete(number));
    this.#inFlight.set(number, Object.assign(flight, { work }));
  }

  async #send(number: number, flight: Flight, signal: AbortSignal): Promise<void> {
    const md5 = this.#own.md5s[number - 1] ?? '';
    const { start, end } = rangeOfPart(this.#own, number);
    const begin = performance.now();
    const part: PartToSend = {
      number,
      size: end - start,
      md5,
      chunks: () => this.#pieces({ start, end }, flight, signal),
    };
    const etag = await withRetries(ATTEMPTS_WHEN_OVERLOADED, worthSendingAgain(), signal, () =>
      this.#put(part, flight, signal),
    );
    if (etag !== md5) throw new OpaqueEtags();
    this.#partTime = performance.now() - begin;
    this.#mine.add(number);
    if (!this.#there.has(number)) this.#arrived({ number, size: end - start, etag, modified: Date.now() });
  }

  #arrived(part: SentPart): void {
    if (!this.#there.has(part.number)) this.#lastArrivalAt = performance.now();
    this.#there.set(part.number, part);
  }

  async #put(part: PartToSend, flight: Flight, signal: AbortSignal): Promise<string> {
    const { multiparts, progress } = this.#tools;
    flight.sent = 0;
    try {
      return await multiparts.putPart(this.#upload, part, signal);
    } catch (error) {
      const hasLeftUs = isSent(flight) && flight.stop.signal.aborted;
      if (!hasLeftUs) progress.takeBack(flight.sent);
      // Refused as other bytes than announced: was it the way, or the file?
      if (isOtherContent(error) && (await this.#md5Now(part.number)) !== part.md5) throw this.#fileChanged();
      throw error;
    }
  }

  /** The bytes of a part as the file has them now, each in the memory of the one before. The store checks what they are. */
  async *#pieces({ start, end }: ByteRange, flight: Flight, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { progress, throttle } = this.#tools;
    const memory = this.#spare.pop() ?? Buffer.allocUnsafeSlow(throttle.piece);
    progress.takeBack(flight.sent);
    flight.sent = 0;
    for (let position = start; position < end;) {
      const length = Math.min(memory.length, end - position);
      const { bytesRead } = await this.#file.read(memory, 0, length, position);
      if (bytesRead === 0) throw this.#fileChanged();
      await throttle.take(bytesRead, signal);
      yield memory.subarray(0, bytesRead);
      position += bytesRead;
      flight.sent += bytesRead;
      progress.addBytes(bytesRead);
    }
    // Not where it was stopped: a read into it may be under way.
    this.#spare.push(memory);
  }

  async #md5Now(number: number): Promise<string> {
    const { start, end } = rangeOfPart(this.#own, number);
    const md5 = createHash('md5');
    const block = Buffer.allocUnsafe(MD5_BLOCK);
    for (let position = start; position < end;) {
      const { bytesRead } = await this.#file.read(block, 0, Math.min(block.length, end - position), position);
      if (bytesRead === 0) break;
      md5.update(block.subarray(0, bytesRead));
      position += bytesRead;
    }
    return md5.digest('hex');
  }

  #fileChanged(): ModelCacheError {
    return new ModelCacheError(
      'file-changed',
      `the file of ${this.#upload.key} changed while it was sent; it was not sent`,
      { hint: 'the next upload takes it' },
    );
  }

  /** Until a part is done, or it is time to look or to try one's luck again. */
  async #pause(): Promise<void> {
    const pause = new AbortController();
    const signal = AbortSignal.any([pause.signal, this.#tools.signal]);
    const aPartIsDone = Array.from(this.#inFlight.values(), ({ work }) => work);
    await Promise.race([
      ...aPartIsDone,
      this.#own.more(),
      sleep(pauseFor(this.#race()), undefined, { signal }).catch(() => undefined),
    ]);
    pause.abort();
  }
}

/** For one part. What did not arrive as it was read may have been changed on the way. */
function worthSendingAgain(): (error: unknown) => boolean {
  let failures = 0;
  return (error) => {
    if (toModelCacheError(error).code === 'store-throttled') return true;
    failures += 1;
    return failures < ATTEMPTS && (isWorthRetrying(error) || isOtherContent(error));
  };
}

function isOtherContent(error: unknown): boolean {
  return toModelCacheError(error).code === 'object-digest-differs';
}
