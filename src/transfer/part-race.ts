import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { rangesOf } from '../model/parts.ts';
import {
  isOfShare,
  lookAgainAfter,
  mayBeMd5,
  nextMove,
  rangeOfPart,
  rightParts,
  type OwnParts,
  type Place,
  type Race,
} from '../model/part-sharing.ts';
import { isWorthRetrying, type Multiparts, type OpenUpload, type SentPart } from '../store/store.ts';
import type { Progress } from './progress.ts';
import { withRetries } from './retry.ts';
import type { Throttle } from './throttle.ts';

const ATTEMPTS = 4;
/** A store that has too much to do for some seconds must not cost a whole upload. */
const ATTEMPTS_WHEN_OVERLOADED = 6;
/** Bytes given to the connection at a time: the grain of progress and of the throttle. */
const PIECE = 64 * 1024;
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
  readonly signal: AbortSignal;
}

/** An upload, and who takes part in it. */
export interface Meeting {
  readonly upload: OpenUpload;
  /** One's place among them now. */
  readonly place: () => Promise<Place>;
}

/**
 * Sends what is missing of one upload, beside others who do the same, until every part is there. Returns the parts,
 * each with the MD5 of one's own bytes. Throws `OpaqueEtags`, `object-upload-gone`, or what the store or the file says;
 * what was sent by then stays in the upload.
 */
export async function sendMissingParts(
  meeting: Meeting,
  file: FileHandle,
  own: OwnParts,
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
  readonly #own: OwnParts;
  readonly #tools: RaceTools;
  readonly #numbers: readonly number[];
  readonly #there = new Map<number, SentPart>();
  /** Parts that were there before this pod came. */
  readonly #before = new Set<number>();
  readonly #mine = new Set<number>();
  readonly #inFlight = new Map<number, Flight & { readonly work: Promise<void> }>();
  /** Memory of parts that have arrived, for the next ones: fresh memory for each would pile up until it is collected. */
  readonly #spare: Buffer[] = [];
  #failure: { readonly error: unknown } | undefined;
  #lookedAt: number | undefined;
  #place: Place = { index: 0, of: 1 };
  #placedAt = -Infinity;
  #partTime = FIRST_PART_TIME_MS;

  constructor(meeting: Meeting, file: FileHandle, own: OwnParts, tools: RaceTools) {
    this.#meeting = meeting;
    this.#upload = meeting.upload;
    this.#file = file;
    this.#own = own;
    this.#tools = tools;
    this.#numbers = rangesOf(own.size, own.partSize).map((_, index) => index + 1);
  }

  async run(): Promise<readonly SentPart[]> {
    try {
      while (this.#there.size < this.#numbers.length) {
        this.#tools.signal.throwIfAborted();
        if (this.#failure !== undefined) throw this.#failure.error;
        await this.#lookWhenDue();
        const move = nextMove(this.#race(), Math.random);
        if (move.kind === 'send') this.#start(move.part);
        else await this.#pause();
      }
      return [...this.#there.values()];
    } finally {
      for (const { stop } of this.#inFlight.values()) stop.abort();
      await Promise.allSettled(Array.from(this.#inFlight.values(), ({ work }) => work));
    }
  }

  #race(): Race {
    const isMissing = (number: number): boolean => !this.#there.has(number) && !this.#inFlight.has(number);
    const missing = this.#numbers.filter(isMissing);
    return {
      missing,
      share: missing.filter((number) => isOfShare(number, this.#place)),
      inFlight: this.#inFlight.size,
      mine: this.#mine.size,
      theirs: this.#there.size - this.#mine.size - this.#before.size,
      pods: this.#place.of,
    };
  }

  async #lookWhenDue(): Promise<void> {
    const dueAt = (this.#lookedAt ?? -Infinity) + lookAgainAfter(this.#race(), this.#partTime);
    if (performance.now() < dueAt) return;
    const { multiparts, progress, signal } = this.#tools;
    const listed = await multiparts.parts(this.#upload, signal);
    progress.sign();
    if (performance.now() - this.#placedAt >= PLACE_AGAIN_AFTER_MS) {
      this.#place = await this.#meeting.place();
      this.#placedAt = performance.now();
    }
    if (listed.some(({ etag }) => !mayBeMd5(etag))) throw new OpaqueEtags();
    for (const [number, part] of rightParts(this.#own, listed)) {
      if (!this.#there.has(number) && this.#lookedAt === undefined) this.#before.add(number);
      this.#there.set(number, part);
      const flight = this.#inFlight.get(number);
      // What was sent whole is most likely what was just seen: to wait for its answer costs nothing.
      if (flight !== undefined && !isSent(flight)) flight.stop.abort();
    }
    this.#lookedAt = performance.now();
  }

  #start(number: number): void {
    const { start, end } = rangeOfPart(this.#own, number);
    const flight: Flight = { stop: new AbortController(), sent: 0, size: end - start };
    const { stop } = flight;
    const work = this.#send(number, flight, AbortSignal.any([this.#tools.signal, stop.signal]))
      .catch((error: unknown) => {
        // Stopped because somebody else's copy has arrived: nothing is lost.
        if (!stop.signal.aborted) this.#failure ??= { error };
      })
      .finally(() => this.#inFlight.delete(number));
    this.#inFlight.set(number, Object.assign(flight, { work }));
  }

  async #send(number: number, flight: Flight, signal: AbortSignal): Promise<void> {
    const start = performance.now();
    const bytes = await this.#read(number);
    const md5 = this.#own.md5s[number - 1] ?? '';
    const etag = await withRetries(ATTEMPTS_WHEN_OVERLOADED, worthSendingAgain(), signal, () =>
      this.#put(number, bytes, md5, flight, signal),
    );
    this.#spare.push(bytes);
    if (etag !== md5) throw new OpaqueEtags();
    this.#partTime = performance.now() - start;
    if (this.#there.has(number)) return;
    this.#mine.add(number);
    this.#there.set(number, { number, size: bytes.length, etag, modified: Date.now() });
  }

  async #put(
    number: number,
    bytes: Buffer,
    md5: string,
    flight: Flight,
    signal: AbortSignal,
  ): Promise<string> {
    const { multiparts, progress } = this.#tools;
    flight.sent = 0;
    const chunks = (): AsyncGenerator<Buffer> => this.#pieces(bytes, flight, signal);
    try {
      return await multiparts.putPart(this.#upload, { number, size: bytes.length, md5, chunks }, signal);
    } catch (error) {
      const hasLeftUs = isSent(flight) && flight.stop.signal.aborted;
      if (!hasLeftUs) progress.takeBack(flight.sent);
      // Refused as other bytes than announced: was it the way, or the file?
      if (isOtherContent(error) && createHash('md5').update(bytes).digest('hex') !== md5)
        throw this.#fileChanged();
      throw error;
    }
  }

  async *#pieces(bytes: Buffer, flight: Flight, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { progress, throttle } = this.#tools;
    for (let start = 0; start < bytes.length; start += PIECE) {
      const piece = bytes.subarray(start, start + PIECE);
      await throttle.take(piece.length, signal);
      yield piece;
      flight.sent += piece.length;
      progress.addBytes(piece.length);
    }
  }

  async #read(number: number): Promise<Buffer> {
    const { start, end } = rangeOfPart(this.#own, number);
    const memory = this.#spare.pop() ?? Buffer.allocUnsafeSlow(end - start);
    const bytes =
      memory.length < end - start ? Buffer.allocUnsafeSlow(end - start) : memory.subarray(0, end - start);
    for (let filled = 0; filled < bytes.length;) {
      const { bytesRead } = await this.#file.read(bytes, filled, bytes.length - filled, start + filled);
      if (bytesRead === 0) throw this.#fileChanged();
      filled += bytesRead;
    }
    return bytes;
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
    const time = Math.min(1000, Math.max(50, this.#partTime / 4));
    const aPartIsDone = Array.from(this.#inFlight.values(), ({ work }) => work);
    await Promise.race([...aPartIsDone, sleep(time, undefined, { signal }).catch(() => undefined)]);
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
