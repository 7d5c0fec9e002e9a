/**
 * Python's fnmatch, which is what `hf download --include` means by a glob, and none of the kept glob libraries speaks:
 * `*` and `?` also match `/`, `[!a]` negates and `[^a]` does not, and nothing else is special.
 */
export function fnmatch(pattern: string): (text: string) => boolean {
  const [first = '', ...others] = split(Array.from(pattern));
  const last = others.pop();
  // Each piece between two stars is found once, at its first place, and never looked for again: a lookahead that has
  // matched is not tried anew, so that no pattern takes more than a moment.
  const middle = others.map((piece, index) => `(?=(.*?${piece}))\\${index + 1}`).join('');
  const rest = last === undefined ? '' : `${middle}.*${last}`;
  const expression = new RegExp(`^${first}${rest}$`, 'su');
  return (text) => expression.test(text);
}

/** The expressions between the stars of a pattern; several stars in a row are one. */
function split(pattern: readonly string[]): readonly string[] {
  const pieces = [''];
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index] ?? '';
    const end = character === '[' ? endOfSet(pattern, index) : -1;
    if (character === '*') {
      if (pattern[index - 1] !== '*') pieces.push('');
      continue;
    }
    pieces.push(
      `${pieces.pop() ?? ''}${end === -1 ? single(character) : set(pattern.slice(index + 1, end))}`,
    );
    if (end !== -1) index = end;
  }
  return pieces;
}

function single(character: string): string {
  return character === '?' ? '.' : literal(character);
}

/** The `]` that closes a set: the first one that is not the set's first member. -1: the `[` stands for itself. */
function endOfSet(pattern: readonly string[], start: number): number {
  const first = pattern[start + 1] === '!' ? start + 2 : start + 1;
  return pattern.indexOf(']', first + 1);
}

function set([first = '', ...rest]: readonly string[]): string {
  const isNegated = first === '!';
  const members = isNegated ? rest : [first, ...rest];
  const ranges: string[] = [];
  for (let index = 0; index < members.length; index += 1) {
    const from = members[index] ?? '';
    const to = members[index + 1] === '-' ? members[index + 2] : undefined;
    if (to === undefined) ranges.push(member(from));
    else {
      // A range that runs backwards holds nothing.
      if (from <= to) ranges.push(`${member(from)}-${member(to)}`);
      index += 2;
    }
  }
  if (ranges.length === 0) return isNegated ? '.' : '(?!)';
  return `[${isNegated ? '^' : ''}${ranges.join('')}]`;
}

function literal(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, String.raw`\$&`);
}

function member(character: string): string {
  return character.replace(/[\\\]^[-]/, String.raw`\$&`);
}
