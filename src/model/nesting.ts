/** The names that a tree would put on a disk. All paths are safe, and different. */
interface Leaves {
  readonly files: Iterable<string>;
  readonly links: Iterable<string>;
  readonly refs: Iterable<string>;
}

interface Leaf {
  readonly path: string;
  /** The path, so that what is below it comes right after it when keys are sorted. */
  readonly key: string;
  readonly isLink: boolean;
}

/**
 * The paths that cannot be there beside the others: S3 has keys below keys, a disk has not, and a link there would lead
 * writes elsewhere. A link gives way to the files that would be below it; otherwise the lower path gives way.
 */
export function misplacedPaths({ files, links, refs }: Leaves): ReadonlySet<string> {
  if (!isAnyBelowAnother([...files, ...links, ...refs])) return new Set();
  const leaves = [
    ...Array.from(files, (path) => leafOf(path, false)),
    ...Array.from(links, (path) => leafOf(path, true)),
    ...Array.from(refs, (path) => leafOf(path, false)),
  ].toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)));
  const misplaced = new Set<string>(linksAboveFiles(leaves).map(({ path }) => path));
  let above: Leaf | undefined;
  for (const leaf of leaves) {
    if (misplaced.has(leaf.path)) continue;
    if (above !== undefined && isBelow(leaf, above)) misplaced.add(leaf.path);
    else above = leaf;
  }
  return misplaced;
}

/** So is it in nearly every tree: nothing has to be put in order then. */
function isAnyBelowAnother(paths: readonly string[]): boolean {
  const all = new Set(paths);
  let known = '';
  return paths.some((path) => {
    const folder = path.lastIndexOf('/');
    if (folder === known.length && path.startsWith(known)) return false;
    known = path.slice(0, Math.max(0, folder));
    for (let above = known; above !== ''; above = above.slice(0, Math.max(0, above.lastIndexOf('/'))))
      if (all.has(above)) return true;
    return false;
  });
}

function linksAboveFiles(sorted: readonly Leaf[]): readonly Leaf[] {
  const found: Leaf[] = [];
  /** Links that the next leaf may be below of, each below the one before. */
  let open: Leaf[] = [];
  for (const leaf of sorted) {
    while (open.length > 0 && !isBelow(leaf, open.at(-1)!)) open.pop();
    if (leaf.isLink) open.push(leaf);
    else {
      found.push(...open);
      open = [];
    }
  }
  return found;
}

function isBelow(leaf: Leaf, above: Leaf): boolean {
  return leaf.key.startsWith(`${above.key}\0`);
}

/** No safe path has a NUL, and nothing sorts before it. */
function leafOf(path: string, isLink: boolean): Leaf {
  return { path, key: path.replaceAll('/', '\0'), isLink };
}
