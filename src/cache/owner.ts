import { chownSync, lchownSync, statSync } from 'node:fs';

/** Who shall own what is written: a server that drops its rights must be able to write beside it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** As root, the owner of the dir unless another is asked for; otherwise files are simply ours. */
export function ownerFor(dir: string, asked: Owner | undefined): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const { uid, gid } = asked ?? statSync(dir);
  return uid === 0 && gid === 0 ? undefined : { uid, gid };
}

export function giveTo(owner: Owner | undefined, path: string): void {
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
}

export function giveLinkTo(owner: Owner | undefined, path: string): void {
  if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
}
