import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { manifestKey } from '../../../src/model/bucket.ts';
import { serializeManifest, type Manifest } from '../../../src/model/manifest.ts';
import { TORCH_CHECKPOINTS } from '../../../src/model/tree.ts';
import { mountFaultFs } from '../../support/fault-fs.ts';
import { after, NODE_SERVER, readOnlyBut, withMounts } from '../confined.ts';
import type { Rig } from '../rig.ts';
import type { Row } from '../row.ts';
import { COMPLETED, NOTHING } from './shared.ts';

const OK = { within: 5, code: 'ok', published: 'everything' } as const;
const MOUNTS = ['root', 'mount namespaces'] as const;
const MODELS_GO_TO = 'no dir of the settings can be used; models go to …';
const REPO = 'hub/models--org--large';
const CD_TO_NOWHERE = 'cd "$1" && mkdir gone && cd gone && rmdir ../gone';
/** What the file for shells says is what the server got. */
const AGREES_WITH_ENV_FILE = 'got=$HF_HOME; HF_HOME=; . "$got/.model-cache/env"; test "$HF_HOME" = "$got"';

/** Where the dir is, and what is around it. */
export const folders: readonly Row[] = [
  {
    fault: 'the path of the dir has spaces, quotes, a line end and letters of all the world',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    expected: OK,
    run: (rig) =>
      rig.init({
        dir: join(rig.scratch, `a $(b) 'c' "d"`, '\n\tÜbung 日本語 🎧', '-rf'),
        serverDoes: AGREES_WITH_ENV_FILE,
      }),
  },
  {
    fault: 'the path of the dir is 1000 characters long',
    sees: COMPLETED,
    todo: NOTHING,
    expected: OK,
    run: (rig) => rig.init({ dir: join(rig.scratch, ...Array.from({ length: 5 }, () => 'n'.repeat(200))) }),
  },
  {
    fault: 'the dir is given relative to the working directory',
    sees: COMPLETED,
    todo: NOTHING,
    expected: OK,
    run: (rig) => rig.init({ dir: 'models', cwd: rig.scratch, serverDoes: 'test -d models' }),
  },
  {
    fault: 'the working directory has been removed',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    expected: OK,
    run: (rig) =>
      rig.init({
        wrapper: after(CD_TO_NOWHERE, rig.scratch),
        server: NODE_SERVER,
      }),
  },
  {
    fault: 'the working directory of an upload has been removed',
    sees: 'Models uploaded to S3 - future cold starts will be faster: 12 files, …',
    todo: NOTHING,
    expected: OK,
    run: (rig) => rig.upload({ wrapper: after(CD_TO_NOWHERE, rig.scratch) }),
  },
  {
    fault: 'the dir is on a file system without links (vfat), and there is a second dir',
    sees: '… cannot be used: …EPERM…',
    todo: 'Name a dir on another file system first.',
    needs: ['root', 'fuse'],
    expected: { ...OK, warnings: 1 },
    run: async (rig) => {
      const disk = await mountFaultFs({ after: (cleanup) => rig.later(cleanup) }, { isLocal: true });
      disk.set('no-links');
      return rig.init({ dir: join(disk.path, 'models'), args: ['--dir', rig.dir] });
    },
  },
  {
    fault:
      'the dir is on a file system that knows no case, and the bucket has names that differ in nothing else',
    sees: '2 files left out: …or their paths are not safe',
    todo: 'Name a dir on another file system with `--dir`. Of two such names the first is restored, and the other is not.',
    needs: ['root', 'fuse'],
    expected: { ...OK, code: 'restore-incomplete', warnings: 'some' },
    run: async (rig) => {
      const disk = await mountFaultFs({ after: (cleanup) => rig.later(cleanup) }, { isLocal: true });
      disk.set('folding');
      return rig.init({ dir: join(disk.path, 'models'), bucket: await bucketWithTwins(rig) });
    },
  },
  {
    fault: 'everything is read-only but the dir',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    needs: MOUNTS,
    expected: OK,
    run: (rig) => rig.init({ wrapper: readOnlyBut(rig.scratch) }),
  },
  {
    fault: 'everything is read-only but the folder for temporary files',
    sees: MODELS_GO_TO,
    todo: 'Mount something that can be written to where the dir is, or name it with `--dir`.',
    needs: MOUNTS,
    expected: { ...OK, warnings: 2 },
    run: (rig) => {
      mkdirSync(rig.dir);
      const tmp = join(rig.scratch, 'tmp');
      mkdirSync(tmp);
      return rig.init({
        wrapper: [...readOnlyBut(rig.scratch), ...withReadOnly(rig.dir)],
        env: { TMPDIR: tmp },
      });
    },
  },
  {
    fault: 'everything is read-only but the HF_HOME of the server',
    sees: "no dir of the settings can be used; models go to the server's HF_HOME: …",
    todo: 'Mount something that can be written to where the dir is, or name it with `--dir`.',
    needs: MOUNTS,
    expected: { ...OK, warnings: 2 },
    run: (rig) => {
      mkdirSync(rig.dir);
      return rig.init({
        wrapper: [...readOnlyBut(rig.scratch), ...withReadOnly(rig.dir)],
        env: { TMPDIR: rig.dir, HF_HOME: join(rig.scratch, 'hf') },
      });
    },
  },
  {
    fault: 'everything is read-only',
    sees: 'S3 model sync failed: there is no dir to restore to; name one that can be written to with --dir; the server will download to …',
    todo: 'Mount something that can be written to where the dir is, or name it with `--dir`. The server cannot download either.',
    quick: true,
    needs: MOUNTS,
    expected: { within: 3, code: 'dir-unusable', published: 'nothing', warnings: 3 },
    run: (rig) => {
      mkdirSync(rig.dir);
      return rig.init({
        wrapper: [...readOnlyBut(rig.scratch), ...withReadOnly(rig.dir)],
        env: { TMPDIR: rig.dir },
      });
    },
  },
  {
    fault: 'nothing in the dir, or in the folder for temporary files, can be executed (noexec)',
    sees: COMPLETED,
    todo: NOTHING,
    needs: MOUNTS,
    expected: OK,
    run: (rig) =>
      rig.init({
        wrapper: withMounts('mount --bind "$1" "$1"; mount -o remount,bind,noexec "$1"', rig.scratch),
        env: { TMPDIR: rig.scratch },
      }),
  },
];

function withReadOnly(folder: string): readonly string[] {
  return withMounts('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"', folder);
}

/** Later manifests name what the bucket has once more, in capitals and with other content. */
async function bucketWithTwins(rig: Rig): Promise<string> {
  const bucket = await rig.ownBucket();
  const write = (key: string, content: Buffer): Promise<unknown> =>
    rig.minio.write(bucket, `models/${key}`, content);
  const other = Buffer.from('other');
  const sha256 = createHash('sha256').update(other).digest('hex');
  await write(`.model-cache/v1/data/${sha256}`, other);
  const snapshots = join(rig.original, REPO, 'snapshots');
  const snapshot = readdirSync(snapshots)[0] ?? '';
  const target = readlinkSync(join(snapshots, snapshot, 'config.json'));
  const twins: readonly Pick<Manifest, 'tree' | 'files' | 'links'>[] = [
    { tree: TORCH_CHECKPOINTS, files: [{ path: 'VOCODER.PTH', size: other.length, sha256 }], links: [] },
    { tree: REPO, files: [], links: [{ path: `snapshots/${snapshot}/MODEL.safetensors`, target }] },
  ];
  for (const twin of twins) {
    const rest = { generation: 9, supersedes: [], refs: [], retired: [] };
    const { name, bytes } = serializeManifest({ version: 1, ...rest, ...twin });
    await write(manifestKey(twin.tree, name), bytes);
  }
  return bucket;
}
