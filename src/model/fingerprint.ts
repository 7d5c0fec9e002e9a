import type { Inventory } from './inventory.ts';

/**
 * What a cache holds, in a few bytes: equal when its files (path and identity), links and refs are, in whatever order
 * they were found. '' for a cache without any file. A tree without content is no difference.
 *
 * It is handed on in a command line and compared every other second, so it is no list; and `node:crypto` would cost the
 * idle process 3 MiB, so it is 64 bits of a plain hash. Nobody gains by a collision: a change would be seen one later.
 */
export function fingerprintOf({ trees }: Inventory): string {
  const sum = new Sum();
  let files = 0;
  for (const { tree, ...local } of trees) {
    files += local.files.size;
    for (const { path, identity } of local.files.values()) sum.add('file', tree, path, identity);
    for (const { path, target } of local.links.values()) sum.add('link', tree, path, target);
    for (const [path, commit] of local.refs) sum.add('ref', tree, path, commit);
  }
  return files === 0 ? '' : sum.toString();
}

/** Hashes are added up, which no order changes. */
class Sum {
  #entries = 0;
  #high = 0;
  #low = 0;

  add(...words: readonly string[]): void {
    // No path, target or identity can hold a NUL.
    const [high, low] = hash(words.join('\0'));
    this.#entries += 1;
    this.#high = (this.#high + high) >>> 0;
    this.#low = (this.#low + low) >>> 0;
  }

  toString(): string {
    return [this.#entries, this.#high, this.#low].map((part) => part.toString(36)).join('-');
  }
}

/** Two 32-bit hashes of one text (cyrb53): each round mixes one UTF-16 unit into both. */
function hash(text: string): readonly [number, number] {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x9e3779b1);
    low = Math.imul(low ^ unit, 0x5f356495);
  }
  const mixedHigh = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  const mixedLow = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return [mixedHigh >>> 0, mixedLow >>> 0];
}
