import { posix } from 'node:path';
import { CONTROL_CHARACTERS } from './control-characters.ts';
import { COMMIT_BYTES, isCommit } from './digest.ts';

/** Longest path component and path that common file systems take, in UTF-8 bytes. */
const MAX_COMPONENT_BYTES = 255;
const MAX_PATH_BYTES = 1024;
/** What a link can hold. */
const MAX_TARGET_LENGTH = 4095;
const SNAPSHOTS = 'snapshots/';
/** No cache is that deep; and each folder of a path is one to make. */
const MAX_DEPTH = 32;

/** What nearly all paths are: safe at first sight. What it does not match is looked at. */
const PLAIN = /^(?:[\w+=@,-][\w.+=@,-]*\/){0,31}[\w+=@,-][\w.+=@,-]*$/;

/**
 * Whether an untrusted `/`-separated path stays below the folder it is joined to, whatever it is joined to:
 * no empty, `.` or `..` component, no leading slash, backslash, control character or lone surrogate.
 */
export function isSafePath(path: string): boolean {
  if (isPlain(path)) return true;
  if (path === '' || path.length > MAX_PATH_BYTES || Buffer.byteLength(path) > MAX_PATH_BYTES) return false;
  if (!path.isWellFormed() || hasForbiddenCharacter(path)) return false;
  const components = path.split('/');
  return components.length <= MAX_DEPTH && components.every(isSafeComponent);
}

/** Whether an absolute path is a folder or lies in it. */
export function liesIn(path: string, folder: string): boolean {
  return `${path}/`.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** A path that is not safe, for people and reports: in one line, no terminal obeys it, and it has an end. */
export function shownPath(path: string): string {
  const shown = path.length > MAX_PATH_BYTES ? `${path.slice(0, MAX_PATH_BYTES)}...` : path;
  return shown.toWellFormed().replaceAll(CONTROL_CHARACTERS, '\u{fffd}');
}

/** Where a relative link leads, as a path of the same tree; undefined when it leaves the tree. */
export function resolveLink(path: string, target: string): string | undefined {
  const plain = resolvePlainLink(path, target);
  if (plain !== undefined) return plain;
  if (target === '' || target.length > MAX_TARGET_LENGTH || target.startsWith('/')) return undefined;
  if (!target.isWellFormed() || hasForbiddenCharacter(target)) return undefined;
  const resolved = posix.join(posix.dirname(path), target);
  return isSafePath(resolved) ? resolved : undefined;
}

/** As everybody writes links: some folders up, and then down to a plain path. Undefined: it is looked at. */
function resolvePlainLink(path: string, target: string): string | undefined {
  let down = 0;
  let folder = path.lastIndexOf('/');
  for (; target.startsWith('../', down) && folder !== -1; down += 3)
    folder = path.lastIndexOf('/', folder - 1);
  const rest = target.slice(down);
  if (!isPlain(path) || !isPlain(rest)) return undefined;
  const resolved = folder === -1 ? rest : path.slice(0, folder + 1) + rest;
  return isPlain(resolved) ? resolved : undefined;
}

/** The text of a link at `path` that leads to `to`, both safe paths of one tree. */
export function linkTarget(path: string, to: string): string {
  const [top = '', ...below] = path.split('/');
  const isElsewhere = below.length > 0 && to !== top && !to.startsWith(`${top}/`);
  if (isElsewhere) return '../'.repeat(below.length) + to;
  // From a root of their own: relative paths would be looked at from the working directory, which may be gone.
  return posix.relative(`/${posix.dirname(path)}`, `/${to}`);
}

/** `snapshots/<commit>/<file>` taken apart; undefined for any other path. */
export function snapshotPath(path: string): { readonly commit: string; readonly file: string } | undefined {
  const commit = path.slice(SNAPSHOTS.length, SNAPSHOTS.length + COMMIT_BYTES);
  const file = SNAPSHOTS.length + COMMIT_BYTES + 1;
  if (!path.startsWith(SNAPSHOTS) || path[file - 1] !== '/' || !isCommit(commit)) return undefined;
  return { commit, file: path.slice(file) };
}

function isPlain(path: string): boolean {
  return path.length <= MAX_COMPONENT_BYTES && PLAIN.test(path);
}

function isSafeComponent(component: string): boolean {
  return (
    component !== '' &&
    component !== '.' &&
    component !== '..' &&
    Buffer.byteLength(component) <= MAX_COMPONENT_BYTES
  );
}

function hasForbiddenCharacter(text: string): boolean {
  return text.includes('\\') || text.search(CONTROL_CHARACTERS) !== -1;
}
