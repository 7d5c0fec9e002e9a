import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { rangeOfPart } from '../model/part-sharing.ts';
import type { ByteRange } from '../model/parts.ts';
import {
  isWorthRetrying,
  type Multiparts,
  type OpenUpload,
  type PartToSend,
  type SentPart,
} from '../store/store.ts';
import type { PartsProof } from './parts-proof.ts';
import type { Progress } from './progress.ts';
import { withRetries } from './retry.ts';
import type { Throttle } from './throttle.ts';

const ATTEMPTS = 4;
/** A store that has too much to do for some seconds must not cost a whole upload. */
const ATTEMPTS_WHEN_OVERLOADED = 6;
const MD5_BLOCK = 1024 * 1024;

/** ETags of this store say nothing of the content: what others sent cannot be told from anything else. */
export class OpaqueEtags extends Error {}

export interface SenderTools {
  readonly multiparts: Multiparts;
  readonly progress: Progress;
  readonly throttle: Throttle;
}

/** A part on its way. */
export class Flight {
  readonly number: number;
  /** In bytes. */
  readonly size: number;
  readonly stop = new AbortController();
  /** Bytes that have been given to the connection. */
  sent = 0;

  constructor(number: number, size: number) {
    this.number = number;
    this.size = size;
  }

  /** All of it has been given to the connection, though nobody has said that it arrived. */
  get isSent(): boolean {
    return this.sent === this.size;
  }
}

/** Sends parts of one file to one upload. */
export class PartSender {
  readonly #upload: OpenUpload;
  readonly #file: FileHandle;
  readonly #own: PartsProof;
  readonly #tools: SenderTools;
  /** Memory of parts that have arrived, for pieces of the next ones. */
  readonly #spare: Buffer[] = [];

  constructor(upload: OpenUpload, file: FileHandle, own: PartsProof, tools: SenderTools) {
    this.#upload = upload;
    this.#file = file;
    this.#own = own;
    this.#tools = tools;
  }

  /** Tries as often as it is worth it. Throws `OpaqueEtags`, `file-changed`, or what the store or the signal says. */
  async send(flight: Flight, signal: AbortSignal): Promise<SentPart> {
    const { number, size } = flight;
    const md5 = this.#own.md5s[number - 1] ?? '';
    const part: PartToSend = { number, size, md5, chunks: () => this.#pieces(flight, signal) };
    const etag = await withRetries(ATTEMPTS_WHEN_OVERLOADED, worthSendingAgain(), signal, () =>
      this.#put(part, flight, signal),
    );
    if (etag !== md5) throw new OpaqueEtags();
    return { number, size, etag, modified: Date.now() };
  }

  async #put(part: PartToSend, flight: Flight, signal: AbortSignal): Promise<string> {
    const { multiparts, progress } = this.#tools;
    flight.sent = 0;
    try {
      return await multiparts.putPart(this.#upload, part, signal);
    } catch (error) {
      const hasLeftUs = flight.isSent && flight.stop.signal.aborted;
      if (!hasLeftUs) progress.takeBack(flight.sent);
      // Refused as other bytes than announced: was it the way, or the file?
      if (isOtherContent(error) && (await this.#md5Now(part.number)) !== part.md5) throw this.#fileChanged();
      throw error;
    }
  }

  /** The bytes of a part as the file has them now, each in the memory of the one before. The store checks what they are. */
  async *#pieces(flight: Flight, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { progress, throttle } = this.#tools;
    const { start, end } = this.#rangeOf(flight.number);
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
    const { start, end } = this.#rangeOf(number);
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

  #rangeOf(number: number): ByteRange {
    return rangeOfPart(this.#own, number);
  }

  #fileChanged(): ModelCacheError {
    return new ModelCacheError(
      'file-changed',
      `the file of ${this.#upload.key} changed while it was sent; it was not sent`,
      { hint: 'the next upload takes it' },
    );
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
