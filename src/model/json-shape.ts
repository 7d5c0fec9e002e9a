/**
 * The densest manifest, or state of a dir, has more characters for each value, and the deepest is less deep: other JSON is
 * made to fill memory.
 */
export const MAX_DEPTH = 32;
const MIN_CHARACTERS_OF_VALUE = 8;
const FEW_VALUES = 8192;
/** So many in each other are a few MiB, and no harm. */
const FEW_OPEN = 65_536;

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
export function jsonShape(text: string): JsonShape {
  let values = 1;
  let depth = 0;
  let open = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isInString) {
      if (character === '\\') index += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === ',') values += 1;
    else if (character === '[' || character === '{') {
      values += 1;
      open += 1;
      depth = Math.max(depth, open);
    } else if (character === ']' || character === '}') open -= 1;
  }
  return { values, depth };
}

/** Its shape, where that is too deep, or has too many values; undefined of a text that does no harm. */
export function unfolding(text: string): JsonShape | undefined {
  if (hasFew(text)) return undefined;
  const shape = jsonShape(text);
  return shape.depth > MAX_DEPTH || shape.values > mostValuesIn(text.length) ? shape : undefined;
}

/** `characters` of its text. */
export function mostValuesIn(characters: number): number {
  return FEW_VALUES + Math.floor(characters / MIN_CHARACTERS_OF_VALUE);
}

/** By what nearly all texts can be told in a tenth of the time. What is in strings counts, too. */
function hasFew(text: string): boolean {
  const open = countOf(text, '[') + countOf(text, '{');
  return open <= FEW_OPEN && open + countOf(text, ',') < mostValuesIn(text.length);
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count += 1;
  return count;
}
