import { posix } from 'node:path';
import { isCommit } from './digest.ts';

/** Longest path component and path that common file systems take, in UTF-8 bytes. */
const MAX_COMPONENT_BYTES = 255;
const MAX_PATH_BYTES = 1024;

/**
 * Whether an untrusted `/`-separated path stays below the folder it is joined to, whatever it is joined to:
 * no empty, `.` or `..` component, no leading slash, backslash, control character or lone surrogate.
 */
export function isSafePath(path: string): boolean {
  if (path === '' || Buffer.byteLength(path) > MAX_PATH_BYTES || !path.isWellFormed()) return false;
  if (hasForbiddenCharacter(path)) return false;
  return path.split('/').every(isSafeComponent);
}

/** Whether a relative link target, seen from the link's own path, stays inside the tree. */
export function isSafeLink(path: string, target: string): boolean {
  return isSafePath(path) && resolveLink(path, target) !== undefined;
}

/** Where a relative link leads, as a path of the same tree; undefined when it leaves the tree. */
export function resolveLink(path: string, target: string): string | undefined {
  if (target === '' || target.startsWith('/') || !target.isWellFormed() || hasForbiddenCharacter(target)) {
    return undefined;
  }
  const resolved = posix.join(posix.dirname(path), target);
  return isSafePath(resolved) ? resolved : undefined;
}

/** The text of a link at `path` that leads to `to`, both paths of one tree. */
export function linkTarget(path: string, to: string): string {
  return posix.relative(posix.dirname(path), to);
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
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not get through
  return /[\u0000-\u001f\u007f\\]/.test(text);
}
