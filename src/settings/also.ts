import { ModelCacheError } from '../errors.ts';
import { mayBeMirrored, setApart, type TreeName } from '../model/tree.ts';
import { wrong, type RawSettings } from './raw.ts';

/** One more folder to mirror, below the dir, and the variable to export its path as. */
export interface AlsoFolder {
  readonly tree: TreeName;
  readonly variable: string | undefined;
}

export function parseAlso(text: string): AlsoFolder {
  const [folder = '', variable, ...more] = text.split('=');
  const tree = folder.replace(/^\.\//, '').replace(/\/+$/, '');
  const isVariable = variable === undefined || /^[A-Za-z_][A-Za-z0-9_]*$/.test(variable);
  if (!isVariable || more.length > 0)
    throw wrong('not a folder to mirror', 'FOLDER or FOLDER=VARIABLE, a path relative to the dir', text);
  if (!mayBeMirrored(tree)) {
    const wanted = 'FOLDER or FOLDER=VARIABLE, a path relative to the dir, of what is no cache of a library';
    throw wrong('not a folder to mirror', wanted, text);
  }
  return { tree, variable };
}

/** Without those that overlap: no more than told, since an older version took them. */
export function alsoOf(raw: RawSettings): readonly AlsoFolder[] {
  const folders = raw.list('also', parseAlso);
  const { apart, overlapping } = setApart(folders.map(({ tree }) => tree));
  for (const { folder, other } of overlapping)
    raw.problems.push(overlaps(folder, other, apart.includes(other)));
  return folders.filter(({ tree }) => apart.includes(tree));
}

function overlaps(folder: TreeName, other: TreeName, isNamed: boolean): ModelCacheError {
  return new ModelCacheError('setting-invalid', `--also ${folder} is left out: it overlaps ${other}`, {
    wanted: `a folder beside ${other}`,
    found: folder,
    hint: isNamed
      ? 'name only the one that holds the other: all of it is mirrored'
      : `${other} is mirrored without being named`,
  });
}
