import { DOUBLED_SHARE } from '../../../src/model/stragglers.ts';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRelay, type Relay } from '../../support/relay.ts';
import { seeded } from '../../support/seeded.ts';
import type { Rig } from '../rig.ts';
import type { Ran, Running } from '../running.ts';
import { MiB } from './shared.ts';

/** Listings, headers, manifests and small files of one run: what is not counted exactly. */
export const TALK = 2 * MiB;

/** What a start may receive at most when so many bytes are not here: what is slow near the end is asked for twice. */
export function comingFor(bytes: number): number {
  return bytes * (1 + DOUBLED_SHARE) + TALK;
}

/** More or less, what a start takes to its server where nothing is to be fetched, and what it takes after the last byte. */
const START_MS = 500;
const END_MS = 300;

/** Numbers from 0 to below 1, by which kills fall. */
export interface Luck {
  readonly seed: number;
  readonly random: () => number;
}

/** The same kills again: TEST_SEED. */
export function luck(): Luck {
  const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));
  return { seed, random: seeded(seed) };
}

/** When a run is killed: after so many bytes of its own have passed, and so many milliseconds later. */
export interface Moment {
  readonly bytes: number;
  readonly later: number;
}

export const NEVER: Moment = { bytes: Number.POSITIVE_INFINITY, later: 0 };

/** How kills fall: so many around the start and around the end, the others in the first `share` of the bytes that are left. */
export interface Odds {
  readonly start: number;
  readonly end: number;
  readonly share: number;
}

export function momentIn(left: number, random: () => number, { start, end, share }: Odds): Moment {
  const [dice, place] = [random(), random()];
  if (dice < start || left < TALK) return { bytes: 0, later: place * START_MS };
  if (dice < start + end) return { bytes: left, later: place * END_MS };
  return { bytes: place * left * share, later: random() * 20 };
}

/** Plays it so many times; the last run is the row's. */
export async function eachRound(
  rounds: number,
  play: (round: number, random: () => number) => Promise<Ran>,
): Promise<Ran> {
  const { seed, random } = luck();
  for (let round = 0; ; round += 1) {
    const ran = await play(round, random).catch(again(seed));
    if (round + 1 === rounds) return { ...ran, note: `${rounds} x, TEST_SEED=${seed}` };
  }
}

/** Every process of a run is killed at its moment, unless it has ended by then. */
export async function killedAt(running: Running, passed: () => number, moment: Moment): Promise<Ran> {
  const isReached = await running
    .until(() => passed() >= moment.bytes)
    .then(
      () => true,
      () => false,
    );
  if (isReached) {
    await sleep(moment.later);
    running.killAll();
  }
  return running.ended;
}

/** A way to the store whose bytes are counted, gone with the row. */
export async function relayTo(rig: Rig, limits: Parameters<typeof startRelay>[1] = {}): Promise<Relay> {
  const relay = await startRelay(rig.minio.endpoint, limits);
  rig.later(() => relay.stop());
  return relay;
}

/** For a `catch`: says how to have the same kills again. */
export function again(seed: number): (error: unknown) => never {
  return (error) => {
    throw new Error(`TEST_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  };
}

/** Of claims, what is to be said of those that do not hold. */
export function broken(claims: readonly (readonly [holds: boolean, otherwise: string])[]): readonly string[] {
  return claims.flatMap(([holds, otherwise]) => (holds ? [] : [otherwise]));
}

/** For the violations of a run. */
export function asItWent(ran: Ran, { bytes, later }: Moment): string {
  return isWhole(ran) ? 'which completed:' : `killed ${later.toFixed()} ms after ${bytes.toFixed()} bytes:`;
}

/** Throws when there is anything that does not hold. `when` says after which run. */
export function refuse(when: string, violations: readonly string[], { stderr }: Pick<Ran, 'stderr'>): void {
  if (violations.length === 0) return;
  throw new Error([when, ...violations].join('\n  ') + `\nthe log:\n${stderr}`);
}

export function isWhole({ code, report }: Ran): boolean {
  return code === 0 && report?.code === 'ok';
}

/** How many times something was moved: `1.07 x the bytes`. */
export function times(moved: number, size: number): string {
  return `${(moved / size).toFixed(2)} x the bytes`;
}
