/** The status line and the headers of an answer, as far as a store needs them. */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes that follow; undefined where that takes more to know. */
  readonly contentLength: number | undefined;
  /** The connection may be used again after the body. */
  readonly keepsAlive: boolean;
}

/** An answer in a form that this client does not read; it may be a good one for a client that knows more. */
export class UnusualAnswer extends Error {}

export const MAX_HEAD_BYTES = 16 * 1024;

const STATUS_LINE = /^HTTP\/1\.1 ([2-5]\d\d)(?: [^\r\n]*)?$/;
/** A field name is a token; its value has no control characters (RFC 9110, 5.5 and 5.6.2). */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[^\p{Cc}]|\t)*?)[ \t]*$/u;
const LENGTH = /^\d{1,15}$/;

/**
 * The text before the empty line → head. Throws UnusualAnswer for whatever is not plain HTTP/1.1: what is not understood
 * completely could be a body that ends elsewhere than it seems to.
 */
export function parseResponseHead(text: string): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n');
  const status = Number(STATUS_LINE.exec(first)?.[1]);
  if (Number.isNaN(status)) throw new UnusualAnswer(`a status line that is none: ${shown(first)}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = '', value = ''] = FIELD.exec(line) ?? [];
    if (name === '') throw new UnusualAnswer(`a header line that is none: ${shown(line)}`);
    const key = name.toLowerCase();
    if (headers.has(key) && ONCE.has(key)) throw new UnusualAnswer(`two headers ${key}`);
    headers.set(key, value);
  }
  return { status, headers, contentLength: lengthOf(status, headers), keepsAlive: keepsAlive(headers) };
}

/** With two of them it would be open which one counts. */
const ONCE = new Set(['content-length', 'content-range', 'etag', 'transfer-encoding', 'connection']);
/** A body in another form than it was asked for. */
const UNREAD = ['transfer-encoding', 'content-encoding', 'upgrade'];

function lengthOf(status: number, headers: ReadonlyMap<string, string>): number | undefined {
  if (status === 204 || status === 304) return 0;
  const length = headers.get('content-length');
  if (UNREAD.some((name) => headers.has(name)) || length === undefined) return undefined;
  if (!LENGTH.test(length)) throw new UnusualAnswer(`a content-length that is none: ${shown(length)}`);
  return Number(length);
}

function keepsAlive(headers: ReadonlyMap<string, string>): boolean {
  const connection = headers.get('connection')?.toLowerCase();
  return connection === undefined || connection === 'keep-alive';
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
