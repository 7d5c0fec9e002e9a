import type { ByteRange } from '../model/parts.ts';
import type { Answer } from './answer-reader.ts';
import type { AnswerReader } from './connection.ts';
import { allHeaders, UnusualAnswer, type ResponseHead } from './response-head.ts';

/** The object that the bytes of an answer are of. */
export interface FoundObject {
  readonly etag: string;
  /** Bytes of the whole of it. */
  readonly size: number;
}

/** Takes the bytes that were asked for. */
export interface ContentReader {
  begin(found: FoundObject): void;
  /** The next bytes, which are only lent. */
  take(bytes: Buffer): void;
}

/** The store answered something else than content. */
export class Refused extends Error {
  readonly refusal: Answer;

  constructor(refusal: Answer) {
    super(`status ${refusal.status}`);
    this.refusal = refusal;
  }
}

/** Another object than the one that was asked for. */
export class OtherObject extends Error {
  readonly etag: string;
  readonly size: number;

  constructor({ etag, size }: FoundObject) {
    super('another object');
    this.etag = etag;
    this.size = size;
  }
}

const MAX_REFUSAL_BYTES = 64 * 1024;

/**
 * Gives content to whoever reads it. Throws UnusualAnswer for other bytes than those of the range that was asked for, and
 * `Refused` where the words of a refusal are not read: the connection cannot be used again. Other refusals are read to
 * their end, and are what `throwIfRefused` throws.
 */
export class ContentOrRefusal implements AnswerReader {
  readonly #range: ByteRange;
  readonly #size: number;
  readonly #content: ContentReader;
  #refusal: { readonly head: ResponseHead; readonly bytes: Buffer[] } | undefined;

  /** Of an object of `size` bytes, a range; an empty one of an empty object. */
  constructor(range: ByteRange, size: number, content: ContentReader) {
    this.#range = range;
    this.#size = size;
    this.#content = content;
  }

  begin(head: ResponseHead): void {
    const { status, contentLength } = head;
    if (status === 200 || status === 206) {
      this.#content.begin(objectIn(head, this.#range, this.#size));
      return;
    }
    if (status < 400) throw new UnusualAnswer(`status ${status}`);
    // Its words may come in chunks, as those of AWS do: its status says enough.
    this.#refusal = { head, bytes: [] };
    if (contentLength === undefined || contentLength > MAX_REFUSAL_BYTES) this.throwIfRefused();
  }

  take(bytes: Buffer): void {
    if (this.#refusal === undefined) this.#content.take(bytes);
    else this.#refusal.bytes.push(Buffer.from(bytes));
  }

  /** When the answer has ended. */
  throwIfRefused(): void {
    if (this.#refusal === undefined) return;
    const { head, bytes } = this.#refusal;
    const body = Buffer.concat(bytes).toString('utf8');
    throw new Refused({ status: head.status, headers: allHeaders(head), body });
  }
}

function objectIn(
  { status, headers, contentLength }: ResponseHead,
  { start, end }: ByteRange,
  size: number,
): FoundObject {
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
