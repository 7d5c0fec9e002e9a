import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { loadBlake3 } from '../blake3.ts';
import { Arrival } from '../model/arrival.ts';
import { Digester } from '../model/digester.ts';
import type { Digests } from '../model/digest.ts';
import type { ByteRange } from '../model/parts.ts';
import { ArrivingParts } from './arriving-parts.ts';
import type { AnswerReader } from './connection.ts';
import type { DiskSigns } from '../threads/disk-signs.ts';
import type { Destination, FetchErrand, Refusal } from './messages.ts';
import { allHeaders, UnusualAnswer, type ResponseHead } from './response-head.ts';

/** The store answered something else than content. */
export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(`status ${refusal.status}`);
    this.refusal = refusal;
  }
}

/** Another object than the one that was asked for. */
export class OtherObject extends Error {
  readonly etag: string;
  readonly size: number;

  constructor(etag: string, size: number) {
    super('another object');
    this.etag = etag;
    this.size = size;
  }
}

/** All has come up to where it was cut. */
export class CutOff extends Error {}

/** Not the store's fault. */
export class DiskFailed extends Error {}

const MAX_REFUSAL_BYTES = 64 * 1024;

/** Writes the bytes of one range where they belong, as they come. */
export class RangeReader implements AnswerReader {
  etag = '';
  readonly #errand: FetchErrand;
  readonly #file: OpenDestination;
  readonly #digester: Digester | undefined;
  readonly #parts: ArrivingParts | undefined;
  readonly #onBegin: () => void;
  #position: number;
  #end: number;
  #moved = 0;
  #refusal: { readonly head: ResponseHead; readonly bytes: Buffer[]; left: number } | undefined;

  constructor(errand: FetchErrand, disk: DiskSigns, onBegin: () => void) {
    this.#errand = errand;
    this.#file = new OpenDestination(errand.into, disk);
    this.#digester =
      errand.algorithms.length === 0 ? undefined : new Digester(errand.algorithms, errand.end - errand.start);
    this.#parts = partsOnTheirWay(errand);
    this.#onBegin = onBegin;
    this.#position = errand.start;
    this.#end = errand.end;
  }

  begin(head: ResponseHead): void {
    if (head.status !== 200 && head.status !== 206) {
      const { contentLength } = head;
      if (head.status < 400) throw new UnusualAnswer(`status ${head.status}`);
      // Its words may come in chunks, as those of AWS do: its status says enough.
      const isRead = contentLength !== undefined && contentLength <= MAX_REFUSAL_BYTES;
      this.#refusal = { head, bytes: [], left: isRead ? contentLength : 0 };
      if (this.#refusal.left === 0) throw this.#refused();
      return;
    }
    const { etag, size } = this.#errand;
    const found = objectIn(head, this.#errand);
    this.etag = found.etag;
    if ((etag !== undefined && etag !== found.etag) || size !== found.size)
      throw new OtherObject(found.etag, found.size);
    this.#file.open();
    this.#onBegin();
  }

  take(bytes: Buffer): void {
    if (this.#refusal !== undefined) {
      this.#refusal.bytes.push(Buffer.from(bytes));
      this.#refusal.left -= bytes.length;
      if (this.#refusal.left === 0) throw this.#refused();
      return;
    }
    const left = this.#end - this.#position;
    const wanted = bytes.length > left ? bytes.subarray(0, left) : bytes;
    this.#digester?.update(wanted);
    this.#file.write(wanted, this.#position, this.#parts?.take(wanted, this.#position));
    this.#position += wanted.length;
    this.#moved += wanted.length;
    if (this.#position === this.#end && this.#end < this.#errand.end) throw new CutOff();
  }

  /** It is to end here, by throwing `CutOff`. False when it has come so far already. */
  cut(end: number): boolean {
    if (end <= this.#position || end >= this.#end) return false;
    this.#end = end;
    return true;
  }

  /** Bytes that were written since this was asked last. */
  takeMoved(): number {
    const moved = this.#moved;
    this.#moved = 0;
    return moved;
  }

  /** After the last byte. */
  finish(): Digests {
    this.#file.close();
    return this.#digester?.digests() ?? {};
  }

  /** What has come of a small file is of no use. */
  giveUp(): void {
    this.#file.remove();
  }

  #refused(): Refused {
    const { head, bytes } = this.#refusal ?? { head: undefined, bytes: [] };
    return new Refused({
      status: head?.status ?? 0,
      headers: head === undefined ? {} : allHeaders(head),
      body: Buffer.concat(bytes).toString('utf8'),
    });
  }
}

function partsOnTheirWay({ parts, size }: FetchErrand): ArrivingParts | undefined {
  const blake3 = parts && loadBlake3();
  return blake3 && new ArrivingParts(parts, size, blake3);
}

/** Which object the answer is of. Throws UnusualAnswer for other bytes than those that were asked for. */
function objectIn(
  { status, headers, contentLength }: ResponseHead,
  { start, end, size }: FetchErrand,
): { readonly etag: string; readonly size: number } {
  if (contentLength === undefined) throw new UnusualAnswer('content without a length');
  const etag = headers.get('etag');
  if (etag === undefined || etag === '') throw new UnusualAnswer('content without an ETag');
  if (status === 200) {
    const isAll = start === 0 && end === size;
    if (!isAll) throw new UnusualAnswer('everything instead of a range');
    return { etag, size: contentLength };
  }
  const range = headers.get('content-range') ?? '';
  const [, first, last, whole] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(range) ?? [];
  if (Number(whole) !== size && whole !== undefined) return { etag, size: Number(whole) };
  if (Number(first) !== start || Number(last) !== end - 1 || contentLength !== end - start)
    throw new UnusualAnswer('another range');
  return { etag, size };
}

/** A file to write to; the disk's errors are told apart from the connection's. */
class OpenDestination {
  readonly #into: Destination;
  readonly #arrival: Arrival | undefined;
  readonly #disk: DiskSigns;
  #fd: number | undefined;
  #isOurs = false;

  constructor(into: Destination, disk: DiskSigns) {
    this.#into = into;
    this.#arrival = 'arrival' in into ? new Arrival(into.arrival) : undefined;
    this.#disk = disk;
  }

  open(): void {
    const into = this.#into;
    if ('fd' in into) {
      this.#fd = into.fd;
      return;
    }
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    this.#fd = this.#onDisk(() => openSync(into.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, into.mode));
    this.#isOurs = true;
  }

  /** With the last of these bytes, some parts are known to be right. */
  write(bytes: Buffer, position: number, proved: readonly ByteRange[] = []): void {
    const fd = this.#fd ?? -1;
    for (let done = 0; done < bytes.length;)
      done += this.#onDisk(() => writeSync(fd, bytes, done, bytes.length - done, position + done));
    // In this order: who waits for the last block of a part finds that it is proved.
    for (const part of proved) this.#arrival?.prove(part);
    this.#arrival?.add(position, position + bytes.length);
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (this.#isOurs && fd !== undefined) this.#onDisk(() => closeSync(fd));
  }

  remove(): void {
    if (!this.#isOurs || !('path' in this.#into)) return;
    try {
      this.close();
    } catch {
      // A disk that cannot even close: the next line tries all the same.
    }
    try {
      unlinkSync(this.#into.path);
    } catch {
      // It is cleared by a later run.
    }
  }

  /** Whoever waits for this thread sees that it is the disk that takes so long. */
  #onDisk<T>(act: () => T): T {
    try {
      return this.#disk.during(act);
    } catch (cause) {
      throw new DiskFailed('the disk failed', { cause });
    }
  }
}
