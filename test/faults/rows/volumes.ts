import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountFaultFs, type DiskFault, type FaultFs } from '../../support/fault-fs.ts';
import { modelCache } from '../../support/program.ts';
import { copyCache } from '../original.ts';
import type { Rig, RunOptions } from '../rig.ts';
import type { Group } from '../row.ts';
import { SHELL_SERVER, type Ran, type Running } from '../running.ts';

const COMPLETED = 'sync completed - models cached in …';
const NO_ANSWER =
  'the file system at … did not answer for 5 s; nothing on it is used; check that network volume';
const STOPPED =
  'S3 model sync failed: the disk of … did not answer for 2 s (--stall)…the server will download to …';
const TO_VOLUME = 'Look after the volume (its server, its network). Name a local disk first in `--dir`.';
const NEEDS = ['root', 'fuse'] as const;
const PATIENT = ['--stall', '2s'];

/** Real file systems that fail: FUSE, which the program takes for a network volume, or for a disk of this machine. */
export const volumes: Group = {
  name: 'volumes',
  title: 'Network volumes and ill disks',
  rows: [
    {
      fault: 'the dir is on a network volume that does not answer, and there is a second dir',
      sees: NO_ANSWER,
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: { within: 8, code: 'ok', published: 'everything', warnings: 1 },
      run: (rig) => onHungDisk(rig, (disk) => ({ dir: join(disk, 'models'), args: ['--dir', rig.dir] })),
    },
    {
      fault: 'the only dir is on a network volume that does not answer',
      sees: 'no dir of the settings can be used; models go to …',
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: { within: 8, code: 'ok', published: 'everything', warnings: 2 },
      run: (rig) => {
        const env = { TMPDIR: tmpOf(rig) };
        return onHungDisk(rig, (disk) => ({ dir: join(disk, 'models'), env }));
      },
    },
    {
      fault: 'the home, its caches and --reuse are on a network volume that does not answer',
      sees: NO_ANSWER,
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: { within: 8, code: 'ok', published: 'everything', warnings: 1 },
      run: (rig) =>
        onHungDisk(rig, (disk) => ({
          args: ['--reuse', join(disk, 'hub')],
          env: { HOME: join(disk, 'home'), HF_HOME: undefined },
        })),
    },
    {
      fault: 'the store is a folder on a network volume that does not answer',
      sees: 'store model sync failed: the file system of … does not answer; check that network volume; the server will download to …',
      todo: 'Look after the volume. Meanwhile every pod downloads for itself.',
      needs: NEEDS,
      expected: { within: 8, code: 'store-unreachable', published: 'nothing', warnings: 2 },
      run: (rig) => onHungDisk(rig, (disk) => ({ args: ['--store', `file://${join(disk, 'store')}`] })),
    },
    {
      fault: 'the dir is on a network volume that stops answering in the middle',
      sees: STOPPED,
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: { within: 8, code: 'disk-stalled', published: 'nothing' },
      run: (rig) => whileRestoring(rig, 'hang', { args: [...PATIENT, '--dir', rig.dir] }),
    },
    {
      fault:
        'the only dir is on a network volume that stops answering in the middle, and there is no temporary dir',
      sees: STOPPED,
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: { within: 8, code: 'disk-stalled', published: 'what was verified', leavesPartialFiles: true },
      run: (rig) =>
        whileRestoring(rig, 'hang', { args: PATIENT, env: { TMPDIR: join(rig.scratch, 'nowhere') } }),
    },
    {
      fault: 'HF_HOME is on a network volume that stops answering in the middle, and the dir is local',
      sees: STOPPED,
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: {
        within: 8,
        code: 'disk-stalled',
        published: 'what was verified',
        warnings: 'some',
        leavesPartialFiles: true,
      },
      run: async (rig) => {
        const disk = await mount(rig);
        const { endpoint } = await rig.proxy([{ type: 'bandwidth', attributes: { rate: 5000 } }]);
        const env = { HF_HOME: join(disk.path, 'hf') };
        const running = await rig.start('init', { endpoint, env, args: PATIENT });
        const partial = join(rig.dir, '.model-cache', 'partial');
        await running.until(() => isBeingFilled(partial));
        return during(disk, 'hang', () => running.ended);
      },
    },
    {
      fault: 'a folder of PATH is on a network volume that does not answer',
      sees: NO_ANSWER,
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: { within: 8, code: 'ok', published: 'everything', warnings: 1 },
      run: (rig) =>
        onHungDisk(rig, (disk) => ({
          env: { PATH: `${join(disk, 'bin')}:${process.env['PATH']}` },
          // By its name: whoever looks for it must not look there.
          server: ['sh', '-c', SHELL_SERVER],
        })),
    },
    {
      fault: 'a cache that blobs of the dir link to is on a network volume that does not answer any more',
      sees: NO_ANSWER,
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: { within: 8, code: 'ok', published: 'everything', warnings: 1 },
      run: async (rig) => {
        const disk = await mount(rig);
        copyCache(join(rig.original, 'hub'), join(disk.path, 'hub'));
        const first = await rig.init({ args: ['--reuse', join(disk.path, 'hub')] });
        if (first.report?.code !== 'ok') throw new Error(`wanted a cache of links, found:\n${first.stderr}`);
        return during(disk, 'hang', () => rig.init());
      },
    },
    {
      fault: 'the dir is on a network volume that takes no more bytes in the middle',
      sees: 'S3 model sync failed: … for 2 s (--stall)…the server will download to …',
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: {
        within: 8,
        code: ['disk-stalled', 'store-stalled'],
        published: 'what was verified',
        leavesPartialFiles: true,
        // Who left the disk behind says so, and before that whoever waited for it may have.
        warnings: 'some',
      },
      run: (rig) => whileRestoring(rig, 'hang-write', { args: PATIENT }),
    },
    {
      fault: 'a local disk takes nothing for 3 s in the middle',
      sees: COMPLETED,
      todo: 'Nothing, unless it happens again.',
      needs: NEEDS,
      expected: { within: 10, code: 'ok', published: 'everything' },
      run: async (rig) => {
        const { disk, running } = await startOnDisk(rig, {}, true);
        await during(disk, 'hang-write', () => sleep(3000));
        return running.ended;
      },
    },
    {
      fault: 'a local disk takes nothing when --timeout passes',
      sees: 'S3 model sync failed: not done after 3 s (--timeout)…the server will download to …',
      todo: 'Look after the disk. Waiting for it keeps no clock from ticking, and no signal from being heard.',
      needs: NEEDS,
      // The SDK's bytes are written by libuv's threads, and whoever needs one of those has to wait.
      plane: 'own',
      expected: {
        within: 6,
        code: 'store-timeout',
        published: 'what was verified',
        leavesPartialFiles: true,
      },
      run: async (rig) => {
        const { disk, running } = await startOnDisk(rig, { args: ['--timeout', '3s'] }, true);
        await during(disk, 'hang-write', () => atMost(4000, running.said(/not done after/)));
        return running.ended;
      },
    },
    {
      fault: 'what is in the dir cannot be read: its network volume hangs at every byte',
      sees: '…sync failed: … 2 s (--stall)…the server will download to …',
      todo: TO_VOLUME,
      needs: NEEDS,
      expected: { within: 8, code: ['store-stalled', 'disk-stalled'], published: 'what was verified' },
      run: async (rig) => {
        const disk = await mount(rig);
        const dir = join(disk.path, 'models');
        copyCache(rig.original, dir);
        const env = { TMPDIR: tmpOf(rig) };
        return during(disk, 'hang-read', () => rig.init({ dir, env, args: PATIENT }));
      },
    },
    {
      fault: 'the store is a folder on a network volume that hangs at every byte',
      sees: 'store model sync failed: nothing came from the store for 2 s (--stall)…the server will download to …',
      todo: 'Look after the volume. Meanwhile every pod downloads for itself.',
      needs: NEEDS,
      expected: { within: 6, code: 'store-stalled', published: 'nothing' },
      run: async (rig) => {
        const disk = await mount(rig);
        const store = await filledFolder(rig, join(disk.path, 'store'));
        return during(disk, 'hang-read', () => rig.init({ args: ['--store', store, ...PATIENT] }));
      },
    },
    {
      fault: 'the store is a folder on a network volume that answers with I/O errors',
      sees: 'store model sync failed: …EIO…the server will download to …',
      todo: 'Look after the volume. Meanwhile every pod downloads for itself.',
      quick: true,
      needs: NEEDS,
      expected: { within: 3, code: 'store-failed', published: 'nothing' },
      run: async (rig) => {
        const disk = await mount(rig);
        const store = await filledFolder(rig, join(disk.path, 'store'));
        return during(disk, 'EIO-read', () => rig.init({ args: ['--store', store] }));
      },
    },
    {
      fault: 'the dir and the store are on network volumes that answer',
      sees: COMPLETED,
      todo: 'Nothing. The work is done by a second process, which can be left behind should a volume stop answering.',
      quick: true,
      needs: NEEDS,
      expected: { within: 5, code: 'ok', published: 'everything' },
      run: async (rig) => {
        const disk = await mount(rig);
        const store = await filledFolder(rig, join(disk.path, 'store'));
        return rig.init({ dir: join(disk.path, 'models'), args: ['--store', store] });
      },
    },
    ...(
      [
        ['EIO', 'an I/O error', 'disk-failed', 'Replace the disk.'],
        [
          'EDQUOT',
          'that the quota is used up',
          'disk-full',
          'Raise the quota, or name another disk with `--dir`.',
        ],
        ['ENOSPC', 'that it is full', 'disk-full', 'Free some space, or name a larger disk with `--dir`.'],
        [
          'EROFS',
          'that it is read-only now',
          'disk-failed',
          'See why the disk was remounted, often by an error.',
        ],
      ] as const
    ).flatMap(([fault, words, code, todo]) =>
      [true, false].map((isLocal) => ({
        fault: `a ${isLocal ? 'local disk' : 'network volume'} answers writes with ${words} (${fault}) in the middle`,
        sees: `S3 model sync failed: ${fault}…the server will download to …`,
        todo,
        quick: isLocal && fault !== 'EROFS',
        needs: NEEDS,
        expected: { within: 5, code, published: 'what was verified' as const },
        run: (rig: Rig) => whileRestoring(rig, fault, {}, isLocal),
      })),
    ),
    {
      fault: 'a local disk cannot read back what it was given (EIO)',
      sees: 'S3 model sync failed: EIO…the server will download to …',
      todo: 'Replace the disk.',
      quick: true,
      needs: NEEDS,
      expected: { within: 5, code: 'disk-failed', published: 'what was verified' },
      run: (rig) => whileRestoring(rig, 'EIO-read', {}, true),
    },
  ],
};

function mount(rig: Rig, isLocal = false): Promise<FaultFs> {
  return mountFaultFs({ after: (cleanup) => rig.later(cleanup) }, { isLocal });
}

/** The run into a volume that has stopped answering before. Whoever was left behind can end afterwards. */
async function onHungDisk(rig: Rig, options: (disk: string) => RunOptions): Promise<Ran> {
  const disk = await mount(rig);
  return during(disk, 'hang', () => rig.init(options(disk.path)));
}

async function during<T>(disk: FaultFs, fault: DiskFault, run: () => Promise<T>): Promise<T> {
  disk.set(fault);
  try {
    return await run();
  } finally {
    disk.set('none');
  }
}

/** The disk fails when a file is being filled on it. */
async function whileRestoring(
  rig: Rig,
  fault: DiskFault,
  options: RunOptions,
  isLocal = false,
): Promise<Ran> {
  const { disk, running } = await startOnDisk(rig, options, isLocal);
  return during(disk, fault, () => running.ended);
}

/** A run that is filling a file on such a disk. */
async function startOnDisk(
  rig: Rig,
  options: RunOptions,
  isLocal: boolean,
): Promise<{ readonly disk: FaultFs; readonly running: Running }> {
  const disk = await mount(rig, isLocal);
  const dir = join(disk.path, 'models');
  const { endpoint } = await rig.proxy([{ type: 'bandwidth', attributes: { rate: 10_000 } }]);
  const running = await rig.start('init', { ...options, endpoint, dir });
  const partial = join(disk.behind, 'models', '.model-cache', 'partial');
  await running.until(() => isBeingFilled(partial));
  return { disk, running };
}

async function atMost(milliseconds: number, what: Promise<void>): Promise<void> {
  const late = sleep(milliseconds, undefined, { ref: false }).then(() => {
    throw new Error(`nobody said so within ${milliseconds / 1000} s`);
  });
  await Promise.race([what, late]);
}

function isBeingFilled(partial: string): boolean {
  return existsSync(partial) && readdirSync(partial).some((name) => !name.startsWith('probe'));
}

/** A temporary dir that is not that of other runs. */
function tmpOf(rig: Rig): string {
  const tmp = join(rig.scratch, 'tmp');
  mkdirSync(tmp);
  return tmp;
}

/** A folder store with everything of the original. */
async function filledFolder(rig: Rig, folder: string): Promise<string> {
  const store = `file://${folder}`;
  const { code, stderr } = await modelCache(['upload', '--store', store, '--dir', rig.copyOfOriginal()]);
  if (code !== 0) throw new Error(`wanted a filled folder, found:\n${stderr}`);
  return store;
}
