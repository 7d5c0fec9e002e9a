import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeLargeBlob } from '../../support/large-blob.ts';
import { HUB_LIBRARIES } from '../../support/python.ts';
import type { Rig } from '../rig.ts';
import type { Group, Row } from '../row.ts';
import { besideServer } from './kill-beside.ts';
import { filledWith, makeLargeOriginal, type Filled } from './kill-caches.ts';
import { endedOnce, killedInARow, killedRestores } from './kill-restores.ts';
import { bothComplete, goneOnWithBeside, oneIsKilled } from './kill-together.ts';
import { killedUploads } from './kill-uploads.ts';
import { COMPLETED, MiB, NOTHING } from './shared.ts';

const OK = { code: 'ok', published: 'everything' } as const;
const GOES_ON = 'Nothing. The next start goes on with what is here.';
const RESUMED = 'resumed … that an earlier start had fetched';

const UPLOADED = 'Models uploaded to S3 - future cold starts will be faster: …';
const SENDS_ON = 'Nothing. The next upload, or write-back, goes on with what is in the bucket.';

const ALIKE = { library: 'hub-2', store: 15e6, hub: 15e6 } as const;
const BESIDE = HUB_LIBRARIES.flatMap((library) => [
  { library, store: 15e6, hub: 15e6 },
  { library, store: 8e6, hub: 20e6 },
  { library, store: 20e6, hub: 8e6 },
]);
const beside: readonly Row[] = (['nobody', 'the start', 'the server'] as const).flatMap((killed) => {
  const who = killed === 'nobody' ? '' : `, and ${killed} is killed`;
  const same = { sees: COMPLETED, todo: NOTHING, expected: { within: 10, ...OK } };
  return [
    {
      ...same,
      fault: `a live server downloads into the dir during a restore${who}`,
      quick: true,
      run: (rig) => besideServer(rig, killed, [ALIKE]),
    },
    {
      ...same,
      fault: `the same${who}, with three versions of huggingface_hub, each faster, slower and as fast`,
      run: (rig) => besideServer(rig, killed, BESIDE),
    },
  ];
});

/** kill -9 at random moments: a pod that is evicted, out of memory, or restarted by a probe. */
export const kills: Group = {
  name: 'kills',
  title: 'Kills',
  rows: [
    {
      fault: 'starts are killed at random moments (kill -9), six times',
      sees: COMPLETED,
      todo: GOES_ON,
      quick: true,
      expected: { within: 10, ...OK },
      run: (rig) => killedRestores(rig, rig, { kills: 6, bytesPerSecond: 20e6 }),
    },
    {
      fault: 'starts are killed at random moments, a hundred times, with larger files',
      sees: COMPLETED,
      todo: GOES_ON,
      expected: { within: 10, ...OK },
      run: async (rig) => killedRestores(rig, await largeFiles(rig), { kills: 100, bytesPerSecond: 200e6 }),
    },
    {
      fault: 'a start is killed in the middle of a file of 300 MiB',
      sees: RESUMED,
      todo: GOES_ON,
      expected: { within: 10, ...OK },
      run: async (rig) => endedOnce(rig, await largeFile(rig), { bytesPerSecond: 200e6, end: 'kill' }),
    },
    {
      fault: 'a start is ended by a stop signal in the middle of a large file, and there is a next one',
      sees: RESUMED,
      todo: GOES_ON,
      quick: true,
      expected: { within: 10, ...OK },
      run: (rig) => endedOnce(rig, rig, { bytesPerSecond: 40e6, end: 'SIGTERM' }),
    },
    {
      fault: 'starts are killed in a row before they can complete, six times',
      sees: COMPLETED,
      todo: GOES_ON,
      quick: true,
      expected: { within: 10, ...OK },
      run: (rig) => killedInARow(rig, rig, { kills: 6, bytesPerSecond: 40e6 }),
    },
    {
      fault: 'starts are killed in a row before they can complete, thirty times',
      sees: COMPLETED,
      todo: GOES_ON,
      expected: { within: 10, ...OK },
      run: async (rig) => killedInARow(rig, await largeFiles(rig), { kills: 30, bytesPerSecond: 100e6 }),
    },
    {
      fault: 'two starts restore into one dir at the same time',
      sees: COMPLETED,
      todo: NOTHING,
      quick: true,
      expected: { within: 10, ...OK },
      run: (rig) => bothComplete(rig, rig, { rounds: 1, bytesPerSecond: 25e6 }),
    },
    {
      fault: 'two starts restore into one dir at the same time, ten times',
      sees: COMPLETED,
      todo: NOTHING,
      expected: { within: 10, ...OK },
      run: (rig) => bothComplete(rig, rig, { rounds: 10, bytesPerSecond: 25e6 }),
    },
    {
      fault: 'of two starts on one dir one is killed while the other goes on',
      sees: COMPLETED,
      todo: NOTHING,
      quick: true,
      expected: { within: 10, ...OK },
      run: (rig) => oneIsKilled(rig, rig, { rounds: 1, bytesPerSecond: 25e6 }),
    },
    {
      fault: 'of two starts on one dir one is killed while the other goes on, ten times',
      sees: COMPLETED,
      todo: NOTHING,
      expected: { within: 10, ...OK },
      run: (rig) => oneIsKilled(rig, rig, { rounds: 10, bytesPerSecond: 25e6 }),
    },
    {
      fault:
        'a start goes on with what a killed one has left, beside another one that is at work on the same file',
      sees: [RESUMED, COMPLETED],
      todo: NOTHING,
      quick: true,
      expected: { within: 10, ...OK },
      run: (rig) => goneOnWithBeside(rig, rig, 15e6),
    },
    ...beside,
    {
      fault: 'uploads are killed at random moments, six times',
      sees: UPLOADED,
      todo: SENDS_ON,
      quick: true,
      expected: { within: 10, ...OK },
      run: (rig) =>
        killedUploads(rig, repos(rig, [9 * MiB + 1]), { kills: 6, each: 3, bytesPerSecond: 40e6 }),
    },
    {
      fault: 'uploads are killed at random moments, a hundred times, with larger files',
      sees: UPLOADED,
      todo: SENDS_ON,
      expected: { within: 10, ...OK },
      run: (rig) =>
        killedUploads(rig, repos(rig, [64 * MiB + 3]), { kills: 100, each: 10, bytesPerSecond: 200e6 }),
    },
  ],
};

/** One of them has almost as many ranges as are asked for at once. */
function largeFiles(rig: Rig): Promise<Filled> {
  return filledWith(rig, (original) => makeLargeOriginal(original, [104 * MiB + 3, 20 * MiB, 9 * MiB + 1]));
}

function largeFile(rig: Rig): Promise<Filled> {
  const blob = makeLargeBlob(rig.scratch, 300 * MiB);
  return filledWith(rig, (original) => blob.linkInto(original));
}

/** Without a checkpoint of torch, which is a plain file: an upload looks for two seconds whether one keeps still. */
function repos(rig: Rig, sizes: readonly number[]): string {
  const original = join(rig.scratch, 'original');
  makeLargeOriginal(original, sizes);
  rmSync(join(original, 'torch'), { recursive: true });
  return original;
}
