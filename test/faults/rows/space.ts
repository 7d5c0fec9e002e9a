import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig, RunOptions } from '../rig.ts';
import type { Group } from '../row.ts';
import type { Ran } from '../running.ts';
import { COMPLETED, MiB, mounted, NOTHING } from './shared.ts';

const LACKS =
  'S3 model sync failed: … lacks … (… free, … needed)…; nothing was restored; name a larger disk with --dir, or fewer models with --model; the server will download to …';
const FULL =
  'S3 model sync failed: ENOSPC…; free some space, or name a larger disk with --dir; the server will download to …';
const TO_ROOM =
  'Name a larger disk with `--dir` (several: the first with room is used), or fewer models with `--model`.';

/** Real small file systems: tmpfs, and ext4 on loop devices. */
export const space: Group = {
  name: 'space',
  title: 'Disks that are too small',
  rows: [
    {
      fault: 'the first dir is too small, the second is not',
      sees: COMPLETED,
      todo: NOTHING,
      quick: true,
      needs: ['root', 'mount namespaces'],
      expected: { within: 4, code: 'ok', published: 'everything' },
      run: (rig) => rig.init({ dir: tmpfs(rig, '24m'), args: ['--dir', rig.dir] }),
    },
    {
      fault: 'the only dir is too small',
      sees: LACKS,
      todo: TO_ROOM,
      quick: true,
      needs: ['root', 'mount namespaces'],
      expected: { within: 3, code: 'disk-full', published: 'nothing' },
      run: (rig) => rig.init({ dir: tmpfs(rig, '24m') }),
    },
    {
      fault: 'all dirs are too small',
      sees: 'S3 model sync failed: … lacks … (… free, … needed), … lacks … (… free, … needed); nothing was restored…',
      todo: TO_ROOM,
      needs: ['root', 'mount namespaces'],
      expected: { within: 3, code: 'disk-full', published: 'nothing' },
      run: (rig) => rig.init({ dir: tmpfs(rig, '16m'), args: ['--dir', tmpfs(rig, '24m')] }),
    },
    {
      fault: 'the dir is too small for everything, and large enough for what --model names',
      sees: COMPLETED,
      todo: NOTHING,
      needs: ['root', 'mount namespaces'],
      expected: { within: 3, code: 'ok', published: 'what was verified' },
      run: (rig) => rig.init({ dir: tmpfs(rig, '24m'), args: ['--model', 'org/small'] }),
    },
    {
      fault: 'the dir holds half of it already, and has room for the rest only',
      sees: COMPLETED,
      todo: NOTHING,
      needs: ['root', 'mount namespaces'],
      expected: { within: 5, code: 'ok', published: 'everything' },
      run: async (rig) => {
        const dir = tmpfs(rig, '50m');
        const first = await rig.init({ dir, args: ['--exclude', 'org/small/*', '--exclude', '*.onnx'] });
        if (first.report?.code !== 'ok') throw new Error(`wanted half of it, found:\n${first.stderr}`);
        return rig.init({ dir });
      },
    },
    {
      fault: 'somebody fills the tmpfs in the middle',
      sees: FULL,
      todo: 'Free some space, or name a larger disk with `--dir`.',
      quick: true,
      needs: ['root', 'mount namespaces'],
      expected: { within: 6, code: 'disk-full', published: 'what was verified' },
      run: (rig) => filledInTheMiddle(rig, tmpfs(rig, '64m')),
    },
    {
      fault: 'somebody fills the disk (ext4) in the middle',
      sees: FULL,
      todo: 'Free some space, or name a larger disk with `--dir`.',
      needs: ['root', 'mount namespaces', 'loop devices'],
      expected: { within: 6, code: 'disk-full', published: 'what was verified' },
      run: (rig) => filledInTheMiddle(rig, ext4(rig, '128M')),
    },
    {
      fault: 'the disk (ext4) has no inodes left, and there is a second dir',
      sees: '…ENOSPC…',
      todo: 'Remove small files there, or name another disk with `--dir`.',
      needs: ['root', 'mount namespaces', 'loop devices'],
      expected: { within: 4, code: 'ok', published: 'everything', warnings: 1 },
      run: (rig) => {
        const dir = ext4(rig, '128M', '-N', '16');
        eatInodes(dir);
        return rig.init({ dir: join(dir, 'models'), args: ['--dir', rig.dir] });
      },
    },
    {
      fault: 'files may not be larger than 8 MiB (ulimit -f)',
      sees: 'S3 model sync failed: EFBIG…; the server will download to …',
      todo: 'Raise the limit: the server could not write the file either.',
      expected: { within: 4, code: 'disk-failed', published: 'what was verified' },
      run: (rig) => rig.init({ wrapper: ['prlimit', `--fsize=${8 * MiB}`] }),
    },
  ],
};

function tmpfs(rig: Rig, size: string): string {
  return mounted(rig, `tmpfs-${size}`, ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs']);
}

function ext4(rig: Rig, size: string, ...options: readonly string[]): string {
  const image = join(rig.scratch, 'disk');
  execFileSync('truncate', ['-s', size, image]);
  execFileSync('mkfs.ext4', ['-q', ...options, image]);
  const dir = mounted(rig, 'ext4', ['-o', 'loop', image]);
  execFileSync('rmdir', [join(dir, 'lost+found')]);
  return dir;
}

function eatInodes(dir: string): void {
  try {
    for (let index = 0; ; index += 1) writeFileSync(join(dir, `file-${index}`), '');
  } catch {
    // That was the last one.
  }
}

/** When a file is being filled there, nothing is free any more. */
async function filledInTheMiddle(rig: Rig, disk: string, options: RunOptions = {}): Promise<Ran> {
  const dir = join(disk, 'models');
  const { endpoint } = await rig.proxy([{ type: 'bandwidth', attributes: { rate: 10_000 } }]);
  const running = await rig.start('init', { ...options, endpoint, dir });
  const partial = join(dir, '.model-cache', 'partial');
  await running.until(
    () => existsSync(partial) && readdirSync(partial).some((name) => !name.startsWith('probe')),
  );
  const { bavail, bsize } = statfsSync(disk);
  try {
    writeFileSync(join(disk, 'other'), Buffer.alloc(bavail * bsize));
  } catch {
    // Full is full.
  }
  return running.ended;
}
