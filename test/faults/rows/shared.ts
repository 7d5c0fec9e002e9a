import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig, RunOptions } from '../rig.ts';
import type { Ran } from '../running.ts';
import type { Answer, Change, Kind, Spoil } from '../spoiled-store.ts';

export const MiB = 1024 * 1024;
export const COMPLETED = 'S3 model sync completed - models cached in …';
export const STALLED = 'S3 model sync failed: nothing came from the store for … (--stall)';
export const NOTHING = 'Nothing.';
export const CANNOT_REACH = 'S3 model sync failed: cannot reach http://…';
export const TO_STALL = 'Look at the store and the way to it; `--stall` says how long it may say nothing.';
export const IMPATIENT = { args: ['--stall', '2s'] };

/** Of a body, more than all tries together may need to bring a part. */
export const A_BIT = 100_000;

/** Says by the number of a request, from 1, what becomes of it. */
export type ByNumber = (nth: number) => Answer | Change | undefined;

/** A new folder with something mounted there, as `mount` is told. */
export function mounted(rig: Rig, name: string, what: readonly string[]): string {
  const folder = join(rig.scratch, name);
  mkdirSync(folder);
  execFileSync('mount', [...what, folder]);
  rig.later(() => execFileSync('umount', ['--lazy', folder]));
  return folder;
}

export async function initBehind(rig: Rig, spoil: Spoil, options: RunOptions = {}): Promise<Ran> {
  const { endpoint } = await rig.spoiled(spoil);
  return rig.init({ ...options, endpoint });
}

export async function uploadBehind(rig: Rig, spoil: Spoil, options: RunOptions = {}): Promise<Ran> {
  const { endpoint } = await rig.spoiled(spoil);
  return rig.upload({ ...options, endpoint });
}

/** Spoils the requests of one kind. */
export function of(kind: Kind, how: ByNumber): Spoil {
  return (asked) => (asked.kind === kind ? how(asked.nth) : undefined);
}

/** Spoils the requests for the bytes of the largest object, which is asked for in several ranges. */
export function ofLargest(rig: Rig, how: ByNumber): Spoil {
  let nth = 0;
  return ({ kind, key }) => (kind === 'content' && key === rig.largest ? how((nth += 1)) : undefined);
}

export function always(what: Answer | Change): ByNumber {
  return () => what;
}

export function once(what: Answer | Change): ByNumber {
  return (nth) => (nth === 1 ? what : undefined);
}
