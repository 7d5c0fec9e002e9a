import { bytesIn, type Journal } from './partial.ts';

/** Whether a process of this machine has the lock of a file; `unknown` where it cannot be asked. */
export type LockState = 'free' | 'held' | 'unknown';

/** A file in the folder of partial files, as it was found. */
export interface Leftover {
  readonly name: string;
  /** Bytes that it takes on the disk. */
  readonly bytes: number;
  /** Milliseconds since anything was last written to it or its journal. */
  readonly age: number;
  readonly lock: LockState;
  /** Undefined where there is none that can be read: nobody can go on with such a file. */
  readonly journal: Journal | undefined;
}

/** An object that a plan fetches. */
export interface WantedObject {
  readonly key: string;
  readonly size: number;
}

/** What a run is about to do, as far as leftovers matter to it. */
export interface Intent {
  readonly wanted: readonly WantedObject[];
  /** Objects that are here already, whole and under their names. */
  readonly present: readonly WantedObject[];
  readonly isRoomNeeded: boolean;
}

/** Small files are written without a lock; nobody takes so long over one. */
const ABANDONED_MS = 10 * 60 * 1000;
/** Beyond this machine, who writes is known only by what is written. */
const QUIET_MS = 60 * 1000;

/** The journal of a partial file lies beside it. */
export function journalNameOf(name: string): string {
  return `${name}.parts`;
}

/** Whether its lock matters: of a file that is young and has no journal nothing is decided, it stays. */
export function mayGo({ age, journal }: Pick<Leftover, 'age' | 'journal'>): boolean {
  return journal !== undefined || age > ABANDONED_MS;
}

/**
 * Whether somebody may be writing to it. Some network file systems grant a lock to a process of each machine. A lock
 * that cannot be asked for says nothing of what has a journal, so its age does.
 */
function mayBeWritten(
  { lock, age, journal }: Pick<Leftover, 'lock' | 'age' | 'journal'>,
  boot: string,
): boolean {
  if (lock === 'held') return true;
  if (journal === undefined) return false;
  return lock === 'unknown' ? age <= ABANDONED_MS : journal.boot !== boot && age < QUIET_MS;
}

/** Those of an object that a run can go on with, the best first: most bytes, then the youngest. */
export function resumable<T extends Pick<Leftover, 'lock' | 'age' | 'journal'>>(
  leftovers: readonly T[],
  object: WantedObject,
  boot: string,
): readonly T[] {
  const here = ({ journal }: T): number => bytesIn(journal?.done ?? []);
  return leftovers
    .filter(isOf(object))
    .filter((leftover) => here(leftover) > 0 && !mayBeWritten(leftover, boot))
    .toSorted((a, b) => here(b) - here(a) || a.age - b.age);
}

/**
 * The names of leftovers that go. Nobody goes on with what has no journal, but it may still be written to while it is
 * young. Of each wanted object only the best stays, of one that is here none. What is of other objects goes when it is
 * old, or when its room is needed.
 */
export function leftoversToRemove(
  leftovers: readonly Leftover[],
  { wanted, present, isRoomNeeded }: Intent,
  boot: string,
): readonly string[] {
  const byKey = Map.groupBy(leftovers, ({ journal }) => journal?.key);
  const ofThese = [...wanted, ...present].flatMap(
    (object) => byKey.get(object.key)?.filter(isOf(object)) ?? [],
  );
  const best = wanted.map((object) => resumable(byKey.get(object.key) ?? [], object, boot)[0]);
  const [superseded, kept] = [new Set(ofThese), new Set(best)];
  return leftovers
    .filter((leftover) => !kept.has(leftover) && mayGo(leftover) && !mayBeWritten(leftover, boot))
    .filter((leftover) => isRoomNeeded || leftover.age > ABANDONED_MS || superseded.has(leftover))
    .map(({ name }) => name);
}

function isOf({ key, size }: WantedObject): (leftover: Pick<Leftover, 'journal'>) => boolean {
  return ({ journal }) => journal?.key === key && journal.size === size;
}

/** Bytes that count as free: a run goes on with them, or removes them when it needs the room. */
export function reclaimableBytes(leftovers: readonly Leftover[], boot: string): number {
  return leftovers
    .filter((leftover) => mayGo(leftover) && !mayBeWritten(leftover, boot))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}
