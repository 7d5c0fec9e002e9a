import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Relay } from '../../support/relay.ts';
import { inspectAnytime } from '../invariants.ts';
import type { Rig } from '../rig.ts';
import type { Ran } from '../running.ts';
import {
  ageLeftovers,
  bytesHere,
  filesOf,
  leftoversIn,
  sizeOf,
  type CacheFile,
  type Filled,
} from './kill-caches.ts';
import {
  again,
  asItWent,
  broken,
  isWhole,
  killedAt,
  luck,
  momentIn,
  NEVER,
  refuse,
  relayTo,
  comingFor,
  TALK,
  times,
  type Moment,
} from './kill-series.ts';
import { MiB } from './shared.ts';

/** Requests at once, each for a range of that size: what one kill may cost. */
const IN_FLIGHT = 8 * 16 * MiB;
/** Files; some may have nothing in them yet, and a file has a journal. */
const STAGED_AT_ONCE = 16;

/** So that about every fifth start completes. */
const ODDS = { start: 0.15, end: 0.25, share: 1 };

/** Starts on one dir, and what they have come to so far. */
export interface Dir extends Filled {
  readonly rig: Rig;
  readonly dir: string;
  readonly relay: Relay;
  readonly files: readonly CacheFile[];
  /** Bytes that came for it. */
  came: number;
  kills: number;
  /** Files that killed starts had left, when they were most. */
  mostLeft: number;
}

export function newDir(rig: Rig, { original, bucket }: Filled, relay: Relay, name = 'models'): Dir {
  const dir = join(rig.scratch, name);
  return { rig, original, bucket, dir, relay, files: filesOf(original), came: 0, kills: 0, mostLeft: 0 };
}

/** Bytes that the next start has to fetch. */
export function leftFor({ dir, files }: Dir): number {
  return sizeOf(files) - bytesHere(dir, files);
}

/**
 * One start, killed at its moment if it lasts so long. Nothing is wrong in the dir then; nothing is fetched again but
 * what was on its way; and what was here still is.
 */
export async function startOnce(at: Dir, moment: Moment): Promise<Ran> {
  const { rig, relay, dir, original, bucket } = at;
  const left = leftFor(at);
  const before = relay.bytesReceived;
  const running = await rig.start('init', { endpoint: relay.endpoint, dir, original, bucket });
  const ran = await killedAt(running, () => relay.bytesReceived - before, moment);
  // What the kernel still had to deliver is nobody's.
  relay.cut();
  const came = relay.bytesReceived - before;
  at.came += came;
  if (!isWhole(ran)) at.kills += 1;
  const gained = left - leftFor(at);
  const { resumable, others } = leftoversIn(dir);
  at.mostLeft = Math.max(at.mostLeft, resumable.size + others.length);
  const { violations } = await inspectAnytime(ran);
  const claims = broken([
    [isWhole(ran) || ran.signal === 'SIGKILL', `it ended by itself: ${ran.code ?? ran.signal}`],
    [came <= comingFor(left), `${came} bytes came, and only ${left} were not here`],
    [gained >= 0, `${-gained} bytes were here, and are not any more`],
    [came - gained <= IN_FLIGHT + TALK, `${came} bytes came, and only ${gained} were kept`],
  ]);
  const when = `after ${at.kills} kills, a start, ${asItWent(ran, moment)}`;
  refuse(when, [...violations, ...claims, ...tooMuchLeft(at, isWhole(ran))], ran);
  return ran;
}

/**
 * What nobody can go on with (small files, and large ones of which nothing had come) may belong to a start that is still
 * at work, so it stays until it is ten minutes old.
 */
function tooMuchLeft({ dir, kills }: Dir, isComplete: boolean): readonly string[] {
  const { resumable, others } = leftoversIn(dir);
  return [...resumable]
    .filter(([, files]) => isComplete || files.length > 1)
    .map(([key, files]) => `${files.length} files are left of ${key}`)
    .concat(broken([[others.length <= kills * STAGED_AT_ONCE, `${others.length} other files are left`]]));
}

/** After a start that completed: if something is left, one that comes ten minutes later leaves nothing at all. */
export async function withoutLeftovers(at: Dir, completed: Ran): Promise<Ran> {
  if (leftoversIn(at.dir).others.length === 0) return completed;
  ageLeftovers(at.dir);
  const ran = await startOnce(at, NEVER);
  refuse('ten minutes later:', leftoversIn(at.dir).others, ran);
  return ran;
}

export interface Kills {
  readonly kills: number;
  readonly bytesPerSecond: number;
}

/** Starts that are killed at random moments, on one dir until one completes, then on a fresh one. */
export async function killedRestores(
  rig: Rig,
  filled: Filled,
  { kills, bytesPerSecond }: Kills,
): Promise<Ran> {
  const { seed, random } = luck();
  const relay = await relayTo(rig, { downloadBytesPerSecond: bytesPerSecond });
  const size = sizeOf(filesOf(filled.original));
  const sum = { kills: 0, came: 0 };
  const restoreTo = async (at: Dir): Promise<Ran> => {
    for (;;) {
      const mayBeKilled = sum.kills + at.kills < kills;
      const ran = await startOnce(at, mayBeKilled ? momentIn(leftFor(at), random, ODDS) : NEVER);
      if (isWhole(ran)) return withoutLeftovers(at, ran);
    }
  };
  for (let dirs = 1; ; dirs += 1) {
    const at = newDir(rig, filled, relay, `models-${dirs}`);
    const ran = await restoreTo(at).catch(again(seed));
    const most = comingFor(size) + at.kills * IN_FLIGHT + (at.kills + 2) * TALK;
    const claims = broken([[at.came <= most, `${at.came} bytes came with ${at.kills} kills`]]);
    refuse(`TEST_SEED=${seed}:`, claims, ran);
    sum.kills += at.kills;
    sum.came += at.came;
    const note = `${sum.kills} kills, ${dirs} dirs, ${times(sum.came, dirs * size)}, TEST_SEED=${seed}`;
    if (sum.kills >= kills) return { ...ran, note };
    rmSync(at.dir, { recursive: true });
  }
}

/** Starts on one dir that are killed before they can complete, and then one that completes. */
export async function killedInARow(rig: Rig, filled: Filled, { kills, bytesPerSecond }: Kills): Promise<Ran> {
  const { seed, random } = luck();
  const at = newDir(rig, filled, await relayTo(rig, { downloadBytesPerSecond: bytesPerSecond }));
  const ran = await (async () => {
    while (at.kills < kills)
      await startOnce(at, { bytes: 0.9 * random() * leftFor(at), later: 5 * random() });
    return withoutLeftovers(at, await startOnce(at, NEVER));
  })().catch(again(seed));
  return { ...ran, note: `${at.kills} kills, at most ${at.mostLeft} files left, TEST_SEED=${seed}` };
}

/** A start that is ended in the middle of a large file, and the next one, which goes on with it. */
export async function endedOnce(
  rig: Rig,
  filled: Filled,
  { bytesPerSecond, end }: Pick<Kills, 'bytesPerSecond'> & { readonly end: 'SIGTERM' | 'kill' },
): Promise<Ran> {
  const at = newDir(rig, filled, await relayTo(rig, { downloadBytesPerSecond: bytesPerSecond }));
  const { original, bucket, dir, relay } = at;
  const running = await rig.start('init', { endpoint: relay.endpoint, dir, original, bucket });
  await running.until(() => leftoversIn(dir).resumable.size > 0);
  if (end === 'kill') running.killAll();
  else process.kill(running.pid, end);
  const ended = await running.ended;
  const { violations } = await inspectAnytime(ended);
  const isEnded = end === 'kill' ? ended.signal === 'SIGKILL' : ended.code === 143;
  const how = `it ended with ${ended.code ?? ended.signal}`;
  refuse('the first start:', [...violations, ...broken([[isEnded, how]])], ended);
  relay.cut();
  const next = await startOnce(at, NEVER);
  const size = sizeOf(at.files);
  const twice = relay.bytesReceived - size;
  refuse('the two starts:', broken([[twice <= IN_FLIGHT + 2 * TALK, `${twice} bytes came twice`]]), next);
  return {
    ...next,
    note: `${times(relay.bytesReceived, size)}, ${times(at.came, size)} by the second start`,
  };
}
