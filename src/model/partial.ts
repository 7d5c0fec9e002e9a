import * as v from 'valibot';
import type { ByteRange } from './parts.ts';

/**
 * The journal beside a partial file, by which a later run goes on where a killed one was: a line that says of which
 * object the file is, then a line for each range of bytes that has been written completely.
 *
 * Nobody vouches for a journal. What it leads to is proved like everything else before it is published.
 */
export interface Journal {
  readonly key: string;
  /** Bytes of the whole object. */
  readonly size: number;
  /** As the store told it; the ranges that are missing must be of the same object. */
  readonly etag: string;
  /** The boot under which it was written: locks of another machine may not be seen by this one. */
  readonly boot: string;
  /** What is there, sorted and apart. */
  readonly done: readonly ByteRange[];
}

/** Larger ones are not read. Ranges of 1 MiB of an object of 300 GB have room, and of 16 MiB of the largest there are. */
export const MAX_JOURNAL_BYTES = 8 * 1024 * 1024;

const Text = v.pipe(v.string(), v.maxLength(8192));
const HeaderSchema = v.strictObject({
  version: v.literal(1),
  key: Text,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** It is sent in a header. */
  etag: v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,1024}$/)),
  boot: Text,
});

const RANGE = /^(0|[1-9]\d{0,15})-([1-9]\d{0,15})$/;

/** The text of a journal, to begin one or to add ranges to it. */
export function journalText({ key, size, etag, boot, done }: Journal): string {
  const header = { version: 1, key, size, etag, boot } satisfies v.InferInput<typeof HeaderSchema>;
  return `${JSON.stringify(header)}\n${done.map(rangeLine).join('')}`;
}

export function rangeLine({ start, end }: ByteRange): string {
  return `${start}-${end}\n`;
}

/** Undefined when anything in it is not as we write it. A last line that was cut off is left out. */
export function parseJournal(text: string): Journal | undefined {
  const [first = '', ...lines] = text.split('\n').slice(0, -1);
  const header = v.safeParse(HeaderSchema, parsedJson(first));
  if (!header.success) return undefined;
  const { key, size, etag, boot } = header.output;
  const ranges = lines.map((line) => parseRange(line, size));
  if (ranges.includes(undefined)) return undefined;
  return { key, size, etag, boot, done: joined(ranges.filter((range) => range !== undefined)) };
}

/** What of an object's bytes is in none of the ranges, which are sorted and apart. */
export function missingRanges(size: number, done: readonly ByteRange[]): readonly ByteRange[] {
  const starts = [0, ...done.map(({ end }) => end)];
  const ends = [...done.map(({ start }) => start), size];
  return starts
    .map((start, index) => ({ start, end: ends[index] ?? size }))
    .filter(({ start, end }) => start < end);
}

export function bytesIn(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseRange(line: string, size: number): ByteRange | undefined {
  const [start = 0, end = 0] = RANGE.exec(line)?.slice(1).map(Number) ?? [];
  return start < end && end <= size ? { start, end } : undefined;
}

/** Sorted; what touches or overlaps is one. */
function joined(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const apart: { start: number; end: number }[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = apart.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else apart.push({ start, end });
  }
  return apart;
}
