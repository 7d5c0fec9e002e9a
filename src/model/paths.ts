import { posix } from 'node:path';
import { isCommit } from './digest.ts';

/** Longest path component and path that common file systems take, in UTF-8 bytes. */
const MAX_COMPONENT_BYTES = 255;
const MAX_PATH_BYTES = 1024;
/** What a link can hold. */
const MAX_TARGET_LENGTH = 4095;
// oxlint-disable-next-line no-control-regex -- control characters are exactly what must not get through
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/g;
/** No cache is that deep; and each folder of a path is one to make. */
const MAX_DEPTH = 32;

/**
 * Whether an untrusted `/`-separated path stays below the folder it is joined to, whatever it is joined to:
 * no empty, `.` or `..` component, no leading slash, backslash, control character or lone surrogate.
 */
export function isSafePath(path: string): boolean {
  if (path === '' || path.length > MAX_PATH_BYTES || Buffer.byteLength(path) > MAX_PATH_BYTES) return false;
  if (!path.isWellFormed() || hasForbiddenCharacter(path)) return false;
  const components = path.split('/');
  return components.length <= MAX_DEPTH && components.every(isSafeComponent);
}

/** A path that is not safe, for people and reports: in one line, no terminal obeys it, and it has an end. */
export function shownPath(path: string): string {
  const shown = path.length > MAX_PATH_BYTES ? `${path.slice(0, MAX_PATH_BYTES)}...` : path;
  return shown.toWellFormed().replaceAll(CONTROL_CHARACTERS, '\u{fffd}');
}

/** Whether a relative link target, seen from the link's own path, stays inside the tree. */
export function isSafeLink(path: string, target: string): boolean {
  return isSafePath(path) && resolveLink(path, target) !== undefined;
}

/** Where a relative link leads, as a path of the same tree; undefined when it leaves the tree. */
export function resolveLink(path: string, target: string): string | undefined {
  if (target === '' || target.length > MAX_TARGET_LENGTH || target.startsWith('/')) return undefined;
  if (!target.isWellFormed() || hasForbiddenCharacter(target)) return undefined;
  const resolved = posix.join(posix.dirname(path), target);
  return isSafePath(resolved) ? resolved : undefined;
}

/** The text of a link at `path` that leads to `to`, both paths of one tree. */
export function linkTarget(path: string, to: string): string {
  // From a root of their own: relative paths would be looked at from the working directory, which may be gone.
  return posix.relative(`/${posix.dirname(path)}`, `/${to}`);
}

/** `snapshots/<commit>/<file>` taken apart; undefined for any other path. */
export function snapshotPath(path: string): { readonly commit: string; readonly file: string } | undefined {
  const [folder, commit, ...rest] = path.split('/');
  if (folder !== 'snapshots' || commit === undefined || !isCommit(commit) || rest.length === 0)
    return undefined;
  return { commit, file: rest.join('/') };
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
