import type { ByteRange } from '../model/parts.ts';

/** What one of many GETs has of its own. */
export interface OwnOfGet {
  /** The path, escaped. */
  readonly target: string;
  /** Ends the last header that they share; `''` where nothing is signed. */
  readonly signature: string;
}

/**
 * A request as it is sent. `common` is all that they have between target and signature; `lines` are headers that are not
 * signed, each with its end.
 */
export function getText(common: string, { target, signature }: OwnOfGet, lines: string): string {
  return `GET ${target}${common}${signature}\r\n${lines}\r\n`;
}

/** An empty range is one of an empty object, which has none. */
export function rangeLine({ start, end }: ByteRange): string {
  return start === end ? '' : `range: bytes=${start}-${end - 1}\r\n`;
}
