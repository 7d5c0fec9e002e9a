import { lstatSync, statSync } from 'node:fs';
import { giveAway } from '../files.ts';

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

/** Never gives away what a link leads to: who owns the folder could have put one there meanwhile. */
export function giveTo(owner: Owner | undefined, path: string): void {
  if (owner !== undefined) giveAway(path, owner);
}

/** Not so where this process lacks the right to give something away. */
export function isGivenTo(owner: Owner, path: string): boolean {
  const { uid, gid } = lstatSync(path);
  return uid === owner.uid && gid === owner.gid;
}
