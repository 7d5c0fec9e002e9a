import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { isSha256 } from './digest.ts';
import { parseModelSpec, type Selection } from './selection.ts';
import { isAllowedTree, mayBeMirrored, setApart, type Overlap, type TreeName } from './tree.ts';

/**
 * What a locked start restores, as a text for people and git: the manifests by their digests, and the selection they
 * were locked for. docs/bucket-format.md describes it.
 */
export interface Lock {
  readonly selection: Selection;
  /** Folders that --also named. */
  readonly also: readonly TreeName[];
  readonly manifests: readonly LockedManifest[];
}

/** As it is read: without the folders that overlap others, and without the manifests that only they explain. */
export interface ReadLock extends Lock {
  readonly leftOut: readonly Overlap[];
}

export interface LockedManifest {
  readonly tree: TreeName;
  /** The SHA-256 of its bytes. */
  readonly name: string;
}

/** Bytes: some ten thousand manifests. */
export const MAX_LOCK_BYTES = 1024 * 1024;

const LOCK_VERSION = '1';
const HEADER = `# model-cache lock, version ${LOCK_VERSION}: \`model-cache init --locked FILE\` restores this, and nothing else`;
const ANY_HEADER = /^# model-cache lock, version (\S+?)(?::|\s|$)/;
const HINT = 'make it anew with `model-cache lock`';

/** The same lock gives the same bytes, in whatever order its parts come. */
export function formatLock({ selection, also, manifests }: Lock): string {
  const lines = [
    ...sorted(selection.models.map(({ text }) => `model ${encoded(text)}`)),
    ...sorted(selection.exclude.map((glob) => `exclude ${encoded(glob)}`)),
    ...sorted(also.map((tree) => `also ${encoded(tree)}`)),
    ...sorted(manifests.map(({ tree, name }) => `${encoded(tree)} ${name}`)).map((entry) => {
      const [tree, name] = entry.split(' ');
      return `manifest ${name} ${tree}`;
    }),
  ];
  return [HEADER, ...lines].map((line) => `${line}\n`).join('');
}

/** Throws `lock-invalid`, naming `where` (the file) and the line. What comes out names only trees that may be restored. */
export function parseLock(where: string, text: string): ReadLock {
  if (text === '') throw invalid(`${where} is empty, as a lock that failed leaves it`);
  if (!text.endsWith('\n')) throw invalid(`${where} ends in the middle of a line`);
  // A checkout on Windows may have given it other line ends.
  const lines = text.split(/\r?\n/).slice(0, -1);
  refuseOtherVersions(where, lines[0] ?? '');
  const lock = { models: new Set<string>(), exclude: new Set<string>(), also: new Set<string>() };
  const manifests = new Map<string, LockedManifest & { readonly at: string }>();
  lines.forEach((line, index) => {
    const at = `${where}, line ${index + 1}`;
    if (line === '' || line.startsWith('#')) return;
    const [, word = '', value = ''] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    switch (word) {
      case 'model':
        lock.models.add(checked(at, decoded(at, value), parseModelSpec).text);
        break;
      case 'exclude':
        lock.exclude.add(decoded(at, value));
        break;
      case 'also':
        lock.also.add(checked(at, decoded(at, value), folderToMirror));
        break;
      case 'manifest':
        manifests.set(value, { ...manifestOf(at, value), at });
        break;
      default:
        throw invalid(`${at}: no such word`, {
          wanted: 'model, exclude, also or manifest',
          found: shown(line),
        });
    }
  });
  const { apart: also, overlapping: leftOut } = setApart(lock.also);
  const restorable: LockedManifest[] = [];
  for (const { tree, name, at } of manifests.values()) {
    if (isAllowedTree(tree, also)) restorable.push({ tree, name });
    else if (!leftOut.some(({ folder }) => folder === tree))
      throw invalid(`${at}: not a tree that can be restored`, {
        wanted: "a repo's folder, torch/hub/checkpoints, or a folder of an `also` line",
        found: shown(tree),
      });
  }
  if (manifests.size === 0) throw invalid(`${where} names no manifest`);
  return {
    selection: { models: [...lock.models].map(parseModelSpec), exclude: [...lock.exclude] },
    also,
    leftOut,
    manifests: restorable,
  };
}

function refuseOtherVersions(where: string, firstLine: string): void {
  const version = ANY_HEADER.exec(firstLine)?.[1];
  if (version === LOCK_VERSION) return;
  if (version === undefined)
    throw invalid(`${where}, line 1: not a lock file of model-cache`, {
      wanted: HEADER,
      found: shown(firstLine),
    });
  throw new ModelCacheError('lock-invalid', `${where} has a version this program does not know`, {
    wanted: `version ${LOCK_VERSION}`,
    found: `version ${shown(version)}`,
    hint: `use a newer model-cache, or ${HINT}`,
  });
}

function manifestOf(at: string, value: string): LockedManifest {
  const [name = '', tree = '', ...more] = value.split(' ');
  if (!isSha256(name) || tree === '' || more.length > 0)
    throw invalid(`${at}: not a manifest`, {
      wanted: 'manifest SHA256 TREE',
      found: `manifest ${shown(value)}`,
    });
  return { name, tree: decoded(at, tree) };
}

function folderToMirror(tree: string): TreeName {
  if (mayBeMirrored(tree)) return tree;
  throw new ModelCacheError('lock-invalid', 'not a folder to mirror', {
    wanted: 'a path relative to the dir',
    found: shown(tree),
  });
}

function checked<T>(at: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    const { message, wanted, found } = toModelCacheError(error);
    throw invalid(`${at}: ${message}`, { wanted, found: found && shown(found) });
  }
}

/** Whatever could be taken for something else by a reader, an editor or a terminal, as the UTF-8 bytes it is made of. */
function encoded(text: string): string {
  return text.toWellFormed().replaceAll(/[^!-$&-~]/gu, (character) => encodeURIComponent(character));
}

/** Only what `encoded` can have written: one text has one spelling. */
function decoded(at: string, text: string): string {
  const value = decodedOrNot(text);
  if (value !== undefined && value !== '' && encoded(value) === text) return value;
  throw invalid(`${at}: not a value as lock files spell them`, {
    wanted: value === undefined || value === '' ? 'printable characters, others as %XX' : encoded(value),
    found: shown(text),
  });
}

function decodedOrNot(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function invalid(
  message: string,
  pair: { readonly wanted?: string | undefined; readonly found?: string | undefined } = {},
): ModelCacheError {
  return new ModelCacheError('lock-invalid', message, { ...pair, hint: HINT });
}

const MOST_SHOWN = 16;

function shown(text: string): string {
  const safe = encoded(text).replaceAll('%20', ' ');
  // Whatever file was named by mistake: a secret in it is not to be told.
  const start = safe.length > MOST_SHOWN ? `${safe.slice(0, MOST_SHOWN)}...` : safe;
  return text === '' ? 'nothing' : start;
}

function sorted(lines: readonly string[]): readonly string[] {
  return [...new Set(lines)].toSorted();
}
