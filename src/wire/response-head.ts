/** The status line and the headers of an answer, as far as a store needs them. */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name: those that say what follows, and of what object it is. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes that follow; undefined where that takes more to know. */
  readonly contentLength: number | undefined;
  /** The connection may be used again after the body. */
  readonly keepsAlive: boolean;
  /** All of it, for whoever needs other headers. */
  readonly text: string;
}

/** An answer in a form that this client does not read; it may be a good one for a client that knows more. */
export class UnusualAnswer extends Error {}

export const MAX_HEAD_BYTES = 16 * 1024;

const STATUS_LINE = /^HTTP\/1\.1 ([2-5]\d\d)(?: [^\r\n]*)?(?=\r\n|$)/;
/** A field name is a token; its value has no control characters (RFC 9110, 5.5 and 5.6.2). */
const FIELD = String.raw`[!#$%&'*+.^_\`|~0-9A-Za-z-]+:[\t\x20-\x7e\xa0-\xff]*`;
const ONE_FIELD = new RegExp(`^${FIELD}$`);
const FIELDS = new RegExp(String.raw`(?:\r\n${FIELD})*$`, 'y');
const HEEDED =
  /\r\n(content-length|content-range|etag|connection|transfer-encoding|content-encoding|upgrade):[\t ]*([^\r\n]*)/gi;
const BLANKS_AT_END = /[\t ]+$/;
const LENGTH = /^\d{1,15}$/;

/**
 * The text before the empty line → head. Throws UnusualAnswer for whatever is not plain HTTP/1.1: what is not understood
 * completely could be a body that ends elsewhere than it seems to.
 */
export function parseResponseHead(text: string): ResponseHead {
  const [first, digits] = STATUS_LINE.exec(text) ?? [];
  if (first === undefined) throw new UnusualAnswer(`a status line that is none: ${shown(linesOf(text)[0])}`);
  FIELDS.lastIndex = first.length;
  if (!FIELDS.test(text)) {
    const [, ...lines] = linesOf(text);
    throw new UnusualAnswer(
      `a header line that is none: ${shown(lines.find((line) => !ONE_FIELD.test(line)))}`,
    );
  }
  const status = Number(digits);
  const headers = new Map<string, string>();
  HEEDED.lastIndex = 0;
  for (let found = HEEDED.exec(text); found !== null; found = HEEDED.exec(text)) {
    const [, name = '', value = ''] = found;
    const key = name.toLowerCase();
    if (headers.has(key) && ONCE.has(key)) throw new UnusualAnswer(`two headers ${key}`);
    headers.set(key, value.replace(BLANKS_AT_END, ''));
  }
  return { status, headers, contentLength: lengthOf(status, headers), keepsAlive: keepsAlive(headers), text };
}

/** Every header, by lower-case name; of one that comes twice, the last one. */
export function allHeaders({ text }: ResponseHead): Readonly<Record<string, string>> {
  const [, ...lines] = linesOf(text);
  const entries = lines.map((line) => {
    const colon = line.indexOf(':');
    return [
      line.slice(0, colon).toLowerCase(),
      line.slice(colon + 1).replaceAll(/^[\t ]+|[\t ]+$/g, ''),
    ] as const;
  });
  return Object.fromEntries(entries);
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

function linesOf(text: string): readonly string[] {
  return text.split('\r\n');
}

function shown(text = ''): string {
  return JSON.stringify(text.slice(0, 40));
}
