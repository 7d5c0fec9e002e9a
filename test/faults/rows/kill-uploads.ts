import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openUploads } from '../../support/open-uploads.ts';
import type { Relay } from '../../support/relay.ts';
import { inspectAnytime } from '../invariants.ts';
import { copyCache } from '../original.ts';
import type { Rig } from '../rig.ts';
import type { Ran } from '../running.ts';
import { filesOf, sizeOf, type CacheFile } from './kill-caches.ts';
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
  TALK,
  times,
  type Moment,
} from './kill-series.ts';
import { MiB } from './shared.ts';

const PREFIX = 'models/';
const PART = 8 * MiB;
/** What one kill may cost: the parts that were on their way. */
const IN_FLIGHT = 4 * PART;

/** So that several kills come before an upload completes. */
const ODDS = { start: 0.15, end: 0.08, share: 0.12 };

/** Uploads into one bucket, and what they have come to so far. */
interface Bucket {
  readonly rig: Rig;
  readonly bucket: string;
  readonly original: string;
  readonly dir: string;
  readonly relay: Relay;
  readonly files: readonly CacheFile[];
  sent: number;
  kills: number;
  /** Uploads that were neither completed nor taken back, when they were most. */
  mostOpen: number;
}

/** What a bucket holds of a cache, whether or not a manifest says so. */
interface Held {
  /** Objects, and the parts that the next upload need not send. */
  readonly bytes: number;
  /** By the path of each large file. */
  readonly large: ReadonlyMap<string, Large>;
  readonly wrong: readonly string[];
}

interface Large {
  readonly isThere: boolean;
  /** Uploads of it that are neither completed nor taken back, and how many of them have parts. */
  readonly open: number;
  readonly withParts: number;
}

/** Uploads that are killed at random moments, into one bucket until it has had ten kills, then into a fresh one. */
export async function killedUploads(
  rig: Rig,
  original: string,
  {
    kills,
    each,
    bytesPerSecond,
  }: { readonly kills: number; readonly each: number; readonly bytesPerSecond: number },
): Promise<Ran> {
  const { seed, random } = luck();
  const relay = await relayTo(rig, { uploadBytesPerSecond: bytesPerSecond });
  const files = filesOf(original);
  const sum = { kills: 0, sent: 0, open: 0 };
  for (let buckets = 1; ; buckets += 1) {
    const dir = join(rig.scratch, `pod-${buckets}`);
    copyCache(original, dir);
    const bucket = await rig.minio.createBucket();
    const at: Bucket = { rig, bucket, original, dir, relay, files, sent: 0, kills: 0, mostOpen: 0 };
    const most = Math.min(each, kills - sum.kills);
    const ran = await uploadDespiteKills(at, most, random).catch(again(seed));
    const bound = sizeOf(files) + at.kills * IN_FLIGHT + (at.kills + 1) * TALK;
    const claims = broken([[at.sent <= bound, `${at.sent} bytes were sent with ${at.kills} kills`]]);
    refuse(`TEST_SEED=${seed}:`, claims, ran);
    sum.kills += at.kills;
    sum.sent += at.sent;
    sum.open = Math.max(sum.open, at.mostOpen);
    const note = `${sum.kills} kills, ${buckets} buckets, ${times(sum.sent, buckets * sizeOf(files))}, at most ${sum.open} open uploads of a file, TEST_SEED=${seed}`;
    if (sum.kills >= kills) return { ...ran, note };
    rmSync(dir, { recursive: true });
  }
}

async function uploadDespiteKills(at: Bucket, kills: number, random: () => number): Promise<Ran> {
  for (;;) {
    // Half of the pods find the disk of the one before, as a container that was started again does.
    if (random() < 0.5) rmSync(join(at.dir, '.model-cache'), { recursive: true, force: true });
    const left = sizeOf(at.files) - (await heldIn(at)).bytes;
    const ran = await uploadOnce(at, at.kills < kills ? momentIn(left, random, ODDS) : NEVER);
    if (isWhole(ran)) return ran;
  }
}

/**
 * One upload, killed at its moment if it lasts so long. No manifest names then what is not there; nothing is sent again
 * but what was on its way; and what was there still is.
 */
async function uploadOnce(at: Bucket, moment: Moment): Promise<Ran> {
  const { rig, relay, bucket, original, dir } = at;
  const before = await heldIn(at);
  const left = sizeOf(at.files) - before.bytes;
  const sentBefore = relay.bytesSent;
  const running = await rig.start('upload', { endpoint: relay.endpoint, bucket, original, dir });
  const ran = await killedAt(running, () => relay.bytesSent - sentBefore, moment);
  // What the kernel still had to send is sent, or lost: both happen to real pods.
  relay.cut();
  const sent = relay.bytesSent - sentBefore;
  at.sent += sent;
  if (!isWhole(ran)) at.kills += 1;
  const after = await heldIn(at);
  const gained = after.bytes - before.bytes;
  at.mostOpen = Math.max(at.mostOpen, ...Array.from(after.large.values(), ({ open }) => open));
  const { violations } = await inspectAnytime(ran);
  const claims = broken([
    [isWhole(ran) || ran.signal === 'SIGKILL', `it ended by itself: ${ran.code ?? ran.signal}`],
    [sent <= left + TALK, `${sent} bytes were sent, and only ${left} were not there`],
    [gained >= 0, `${-gained} bytes were there, and are not any more`],
    [sent - gained <= IN_FLIGHT + TALK, `${sent} bytes were sent, and only ${gained} were kept`],
  ]);
  const tooMany = tooManyOpen(at, before, after, isWhole(ran));
  const when = `after ${at.kills} kills, an upload, ${asItWent(ran, moment)}`;
  refuse(when, [...violations, ...after.wrong, ...claims, ...tooMany], ran);
  return ran;
}

/**
 * Each pod makes itself known by an upload of its own, and all send to the oldest. Who completes the object takes back
 * the others; a kill between the two leaves them, without parts.
 */
function tooManyOpen({ kills }: Bucket, before: Held, after: Held, isComplete: boolean): readonly string[] {
  return [...after.large].flatMap(([path, { open, withParts }]) => {
    const isCompletedNow = isComplete && before.large.get(path)?.isThere === false;
    return broken([
      [open <= (isCompletedNow ? 0 : kills), `${open} uploads of ${path} are open, with ${kills} kills`],
      [withParts <= (isComplete ? 0 : 1), `${withParts} uploads of ${path} have parts`],
    ]);
  });
}

/** Uploads are looked at before objects: what is completed meanwhile is seen as both, and not as neither. */
async function heldIn({ rig: { minio }, bucket, files }: Bucket): Promise<Held> {
  const uploadsOf = new Map<string, Awaited<ReturnType<typeof openUploads>>>();
  for (const { path, size } of files)
    if (size > PART) uploadsOf.set(path, await openUploads(minio, bucket, `${PREFIX}${path}`));
  const objects = await minio.objects(bucket);
  const large = new Map<string, Large>();
  const wrong: string[] = [];
  let bytes = 0;
  for (const { path, size } of files) {
    const key = `${PREFIX}${path}`;
    const found = objects.get(key)?.size;
    bytes += found ?? 0;
    if (found !== undefined && found !== size) wrong.push(`${key} has ${found} bytes, not ${size}`);
    const uploads = uploadsOf.get(path);
    if (uploads === undefined) continue;
    const sent = uploads.map((upload) => upload.bytes);
    if (found === undefined) bytes += Math.min(size, Math.max(0, ...sent));
    const withParts = sent.filter((count) => count > 0).length;
    large.set(path, { isThere: found !== undefined, open: uploads.length, withParts });
  }
  return { bytes, large, wrong };
}
