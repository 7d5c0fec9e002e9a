/**
 * The densest manifest, or state of a dir, has more characters for each value and for each array or object, and the
 * deepest is less deep: other JSON is made to fill memory.
 */
const MAX_DEPTH = 32;
const FEW = 8192;
const CHARACTERS_OF_VALUE = 8;
/** One in each other, with a name of its own in each, takes two hundred bytes. */
const CHARACTERS_OF_OPENED = 20;
/** So many in each other are a few MiB, and no harm. */
const FEW_OPENED = 65_536;

export interface JsonShape {
  /** At least as many as there are, arrays and objects included. */
  readonly values: number;
  /** Arrays and objects. */
  readonly opened: number;
  /** Those in each other. */
  readonly depth: number;
}

/** In words for a message. */
export interface TooMuch {
  readonly says: string;
  readonly wanted: string;
  readonly found: string;
}

/**
 * What is too much in JSON, before it is unfolded: `[{},{},...]` takes twenty times its size in memory, which is how a
 * small text can end a process. Undefined of a text that does no harm.
 */
export function tooMuchIn(text: string): TooMuch | undefined {
  if (hasFew(text)) return undefined;
  const { values, opened, depth } = jsonShape(text);
  const most = mostIn(text);
  const inText = `in ${text.length} characters`;
  if (depth > MAX_DEPTH)
    return { says: 'it is nested too deeply', wanted: `at most ${MAX_DEPTH} levels`, found: `${depth}` };
  if (values > most.values)
    return { says: 'it has too many values', wanted: `at most ${most.values} ${inText}`, found: `${values}` };
  if (opened > most.opened)
    return {
      says: 'it has too many arrays and objects',
      wanted: `at most ${most.opened} ${inText}`,
      found: `${opened}`,
    };
  return undefined;
}

/** What is no JSON has some shape, too. */
export function jsonShape(text: string): JsonShape {
  let commas = 0;
  let opened = 0;
  let depth = 0;
  let open = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isInString) {
      if (character === '\\') index += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === ',') commas += 1;
    else if (character === '[' || character === '{') {
      opened += 1;
      open += 1;
      depth = Math.max(depth, open);
    } else if (character === ']' || character === '}') open -= 1;
  }
  return { values: 1 + commas + opened, opened, depth };
}

function mostIn({ length }: string): Pick<JsonShape, 'values' | 'opened'> {
  return {
    values: FEW + Math.floor(length / CHARACTERS_OF_VALUE),
    opened: FEW + Math.floor(length / CHARACTERS_OF_OPENED),
  };
}

/** By what nearly all texts can be told in a tenth of the time. What is in strings counts, too. */
function hasFew(text: string): boolean {
  const most = mostIn(text);
  const opened = countOf(text, '[') + countOf(text, '{');
  if (opened > Math.min(FEW_OPENED, most.opened)) return false;
  return opened + countOf(text, ',') < most.values;
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count += 1;
  return count;
}
