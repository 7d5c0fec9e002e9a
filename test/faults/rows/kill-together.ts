import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspectAnytime } from '../invariants.ts';
import type { Rig } from '../rig.ts';
import type { Ran, Running } from '../running.ts';
import { leftoversIn, sizeOf, type Filled } from './kill-caches.ts';
import { leftFor, newDir, startOnce, withoutLeftovers, type Dir } from './kill-restores.ts';
import { broken, comingFor, eachRound, isWhole, killedAt, NEVER, refuse, relayTo } from './kill-series.ts';

/** How often, and bytes per second of each start. */
export interface Rounds {
  readonly rounds: number;
  readonly bytesPerSecond: number;
}

/** Two starts on one dir, the second at a random moment of the first: both complete, and nothing is left. */
export async function bothComplete(
  rig: Rig,
  filled: Filled,
  { rounds, bytesPerSecond }: Rounds,
): Promise<Ran> {
  return eachRound(rounds, async (round, random) => {
    const [first, second] = await two(rig, filled, bytesPerSecond, `models-${round}`);
    const starts = await oneAfterTheOther(first, second, random);
    const [, ran] = await Promise.all(starts.map(({ ended }) => ended.then(mustComplete)));
    const { resumable, others } = leftoversIn(first.dir);
    refuse('both have completed:', [...resumable.keys(), ...others], ran as Ran);
    return ran as Ran;
  });
}

/** Two starts on one dir, of which one is killed at a random moment; the other completes. */
export async function oneIsKilled(
  rig: Rig,
  filled: Filled,
  { rounds, bytesPerSecond }: Rounds,
): Promise<Ran> {
  return eachRound(rounds, async (round, random) => {
    const [first, second] = await two(rig, filled, bytesPerSecond, `models-${round}`);
    const moment = { bytes: random() * sizeOf(first.files), later: random() * 20 };
    const starts = await oneAfterTheOther(first, second, random);
    const [killed, other] = random() < 0.5 ? ([0, 1] as const) : ([1, 0] as const);
    const { relay } = [first, second][killed] as Dir;
    const ended = await killedAt(starts[killed], () => relay.bytesReceived, moment);
    relay.cut();
    await mustComplete(await starts[other].ended);
    first.kills = 1;
    refuse('the other one has completed:', severalLeft(first), ended);
    return withoutLeftovers(first, await startOnce(first, NEVER));
  });
}

/**
 * What a killed start has left is gone on with by a third one, while a second one is at work on the same file. The first
 * two are halted where they have come to it, so that no speed decides.
 */
export async function goneOnWithBeside(rig: Rig, filled: Filled, bytesPerSecond: number): Promise<Ran> {
  const [killed, halted] = await two(rig, filled, bytesPerSecond, 'models');
  const [third] = await two(rig, filled, bytesPerSecond, 'models');
  const first = await start(killed);
  await first.until(() => leftoversIn(killed.dir).resumable.size > 0);
  process.kill(first.pid, 'SIGSTOP');
  const ofFirst = journalsIn(killed.dir);
  const second = await start(halted);
  await second.until(() => journalsIn(killed.dir).some((name) => !ofFirst.includes(name)));
  process.kill(second.pid, 'SIGSTOP');
  first.killAll();
  await first.ended;
  killed.relay.cut();
  const left = leftFor(killed);
  const last = await start(third);
  await last.until(() => !journalsIn(killed.dir).some((name) => ofFirst.includes(name)));
  process.kill(second.pid, 'SIGCONT');
  const [ran] = await Promise.all([last.ended.then(mustComplete), second.ended.then(mustComplete)]);
  const came = third.relay.bytesReceived;
  const { resumable } = leftoversIn(third.dir);
  const claims = broken([
    [resumable.size === 0, `something is left of ${[...resumable.keys()].join(', ')}`],
    [ran.log.some(({ msg }) => msg.startsWith('resumed ')), 'nothing was resumed'],
    [came <= comingFor(left), `${came} bytes came, and only ${left} were not here`],
  ]);
  refuse('the second and the third have completed:', claims, ran);
  return withoutLeftovers(third, ran);
}

/** One dir as two pods see it, each with a way of its own to the store. */
async function two(
  rig: Rig,
  filled: Filled,
  bytesPerSecond: number,
  name: string,
): Promise<readonly [Dir, Dir]> {
  const limits = { downloadBytesPerSecond: bytesPerSecond };
  const [one, other] = [await relayTo(rig, limits), await relayTo(rig, limits)];
  return [newDir(rig, filled, one, name), newDir(rig, filled, other, name)];
}

function start({ rig, relay, dir, original, bucket }: Dir): Promise<Running> {
  return rig.start('init', { endpoint: relay.endpoint, dir, original, bucket });
}

async function oneAfterTheOther(
  first: Dir,
  second: Dir,
  random: () => number,
): Promise<readonly [Running, Running]> {
  const one = await start(first);
  await sleep(random() * 500);
  return [one, await start(second)];
}

async function mustComplete(ran: Ran): Promise<Ran> {
  const { violations } = await inspectAnytime(ran);
  const isRight = isWhole(ran) && ran.serverAfter !== undefined;
  const claims = broken([[isRight, 'it did not complete']]);
  refuse('a start beside another one:', [...violations, ...claims], ran);
  return ran;
}

function severalLeft({ dir }: Dir): readonly string[] {
  return [...leftoversIn(dir).resumable]
    .filter(([, files]) => files.length > 1)
    .map(([key, files]) => `${files.length} files are left of ${key}`);
}

function journalsIn(dir: string): readonly string[] {
  const folder = join(dir, '.model-cache', 'partial');
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.parts')) : [];
}
