const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const [OPEN_ARRAY, OPEN_OBJECT] = [0x5b, 0x7b];
const [CLOSE_ARRAY, CLOSE_OBJECT] = [0x5d, 0x7d];

/**
 * The densest manifest, or state of a dir, has more bytes for each value, and the deepest is less deep: other JSON is
 * made to fill memory.
 */
export const MAX_DEPTH = 32;
const MIN_BYTES_OF_VALUE = 8;
const FEW_VALUES = 8192;

export interface JsonShape {
  /** At least as many as there are. */
  readonly values: number;
  /** Arrays and objects in each other. */
  readonly depth: number;
}

/**
 * What JSON would unfold to, without unfolding it: `[{},{},...]` takes twenty times its size in memory, which is how a
 * small text can end a process. What is no JSON has some shape, too.
 */
export function jsonShape(bytes: Buffer): JsonShape {
  let values = 1;
  let depth = 0;
  let open = 0;
  let isInString = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0;
    if (isInString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === COMMA) values += 1;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      values += 1;
      open += 1;
      depth = Math.max(depth, open);
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) open -= 1;
  }
  return { values, depth };
}

export function mostValuesIn(bytes: number): number {
  return FEW_VALUES + Math.floor(bytes / MIN_BYTES_OF_VALUE);
}
