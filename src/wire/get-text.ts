import type { ByteRange } from '../model/parts.ts';

/** What one of many GETs has of its own. */
export interface OwnOfGet {
  /** The path, escaped. */
  readonly target: string;
  /** The last that is sent of what they share: their signature, or `''` of those that are not signed. */
  readonly signature: string;
}

/** A request as it is sent. `common` is what all of them have between target and signature; `lines` each end with their end. */
export function getText(common: string, { target, signature }: OwnOfGet, lines: string): string {
  return `GET ${target}${common}${signature}\r\n${lines}\r\n`;
}

/** An empty range is one of an empty object, which has none. */
export function rangeLine({ start, end }: ByteRange): string {
  return start === end ? '' : `range: bytes=${start}-${end - 1}\r\n`;
}
