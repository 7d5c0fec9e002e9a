import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestKey } from '../../../src/model/bucket.ts';
import { copyCache } from '../original.ts';
import type { Rig } from '../rig.ts';
import type { Expected, Group, Row } from '../row.ts';
import type { Ran } from '../running.ts';
import { COMPLETED, MiB, NOTHING } from './shared.ts';

const PREFIX = 'models/';
const EVIL = 'hub/models--evil--model';
const COMMIT = 'e0'.repeat(20);
const BYTES = Buffer.from('whatever');
const SHA256 = sha256(BYTES);
const FILE = { path: `blobs/${SHA256}`, size: BYTES.length, sha256: SHA256 };
const WHO =
  'Find out who can write to the bucket, and look at its newest manifests; lock what you start with (`model-cache lock`).';
const LEFT_OUT = '1 file left out: …or their paths are not safe';
const REFUSED = 'left out: manifest … of hub/models--evil--model …';
const INCOMPLETE: Expected = {
  within: 4,
  code: 'restore-incomplete',
  published: 'everything',
  warnings: 'some',
};

/** Each plants one manifest beside honest ones: nothing of it comes to the disk, and the honest ones do. */
const manifests: readonly Row[] = [
  ...(
    [
      ['a path that leads out of the dir', { files: [{ ...FILE, path: '../../../../etc/cron.d/evil' }] }],
      ['an absolute path', { files: [{ ...FILE, path: '/etc/cron.d/evil' }] }],
      ['a path with a backslash', { files: [{ ...FILE, path: `snapshots/${COMMIT}/a\\..\\b` }] }],
      ['a path with NUL', { files: [{ ...FILE, path: `snapshots/${COMMIT}/a\0b` }] }],
      [
        'a path of 2000 characters',
        { files: [{ ...FILE, path: `snapshots/${COMMIT}/${'a/'.repeat(1000)}b` }] },
      ],
      ['a file called token', { files: [{ ...FILE, path: `snapshots/${COMMIT}/token` }] }],
      ['a link that leads out of the repo', { links: [link('model.bin', '../../../../../../etc/passwd')] }],
      ['an absolute link', { links: [link('model.bin', '/etc/passwd')] }],
    ] as const
  ).map(([what, claims]) => planted(`a manifest with ${what}`, LEFT_OUT, claims)),
  planted('a manifest with a link that is the folder of a file', LEFT_OUT, {
    files: [FILE, { ...FILE, path: `snapshots/${COMMIT}/folder/model.bin` }],
    links: [link('folder', '../../blobs')],
  }),
  {
    ...planted('a manifest with a ref that is no commit', COMPLETED, {
      refs: [{ path: 'refs/main', content: '../../../evil\n' }],
    }),
    expected: { within: 4, code: 'ok', published: 'everything' },
  },
  planted('a manifest of another version', `${REFUSED}has a version this program does not know`, {
    version: 99,
  }),
  planted('a manifest with a size beyond all numbers', `${REFUSED}does not follow the format`, {
    files: [{ ...FILE, size: 2 ** 60 }],
  }),
  planted('a manifest that promises a petabyte', '…which the bucket promises and does not hold', {
    files: [{ ...FILE, size: 1e15, path: `blobs/${'ab'.repeat(32)}`, sha256: 'ab'.repeat(32) }],
  }),
  {
    ...planted('a manifest of 100 000 nested lists', REFUSED, {}),
    run: (rig) => startWith(rig, Buffer.from('['.repeat(100_000))),
  },
  {
    ...planted(
      'a manifest of 64 MiB',
      'left out: … is larger than a manifest may be (wanted at most 16777216 bytes, found 67108864 bytes)',
      {},
    ),
    run: (rig) => startWith(rig, Buffer.alloc(64 * MiB, ' ')),
  },
  {
    ...planted('a manifest whose bytes are not those of its name', `${REFUSED}is not what its name says`, {}),
    run: (rig) => startWith(rig, manifest({}), sha256(Buffer.from('another'))),
  },
  ...['modules', 'token/models--evil--model', 'hub/.locks', '.model-cache', 'torch/hub', 'hub/../..'].map(
    plantedTree,
  ),
];

/** What somebody has left in the dir before the start. */
const dirs: readonly Row[] = [
  {
    fault: 'a blob in the dir has other bytes of the right length',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    expected: { within: 4, code: 'ok', published: 'everything' },
    run: (rig) =>
      startIn(rig, (dir) => {
        const blobs = join(dir, 'hub/models--org--large/blobs');
        for (const name of readdirSync(blobs))
          execFileSync('sh', [
            '-c',
            'head -c "$(stat -c %s "$0")" /dev/zero >"$0.x"; mv "$0.x" "$0"',
            join(blobs, name),
          ]);
      }),
  },
  {
    fault: 'blobs in the dir were cut off',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 4, code: 'ok', published: 'everything' },
    run: (rig) =>
      startIn(rig, (dir) => {
        const blobs = join(dir, 'hub/models--org--large/blobs');
        for (const name of readdirSync(blobs)) truncateSync(join(blobs, name), 1);
      }),
  },
  {
    fault: 'state.json of the dir is a pipe',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    expected: { within: 4, code: 'ok', published: 'everything' },
    run: (rig) => startIn(rig, (dir) => execFileSync('mkfifo', [join(ourFolder(dir), 'state.json')])),
  },
  {
    fault: 'state.json of the dir says that wrong files were proved',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 4, code: 'ok', published: 'everything' },
    run: (rig) =>
      startIn(rig, (dir) => {
        const blobs = join(dir, 'hub/models--org--large/blobs');
        for (const name of readdirSync(blobs)) truncateSync(join(blobs, name), 1);
        const proved = Object.fromEntries(
          readdirSync(blobs).map((name) => [
            `hub/models--org--large/blobs/${name}`,
            ['1-0-0-0-0', name, null, null],
          ]),
        );
        const state = { version: 2, proved, reused: [], agreedRefs: {}, corruptObjects: {} };
        writeFileSync(join(ourFolder(dir), 'state.json'), JSON.stringify(state), { mode: 0o600 });
      }),
  },
  {
    fault: '.model-cache in the dir is a link to elsewhere, and there is a second dir',
    sees: '…/.model-cache is a link (wanted a folder, found a link); remove it if it is not yours',
    todo: 'Remove the link, and find out who made it.',
    quick: true,
    expected: { within: 4, code: 'ok', published: 'everything', warnings: 1 },
    run: (rig) => {
      const dir = join(rig.scratch, 'planted');
      mkdirSync(dir);
      symlinkSync('/etc', join(dir, '.model-cache'));
      return rig.init({ dir, args: ['--dir', rig.dir] });
    },
  },
  {
    fault: 'the blobs folder of a repo in the dir is a link to elsewhere',
    sees: 'left out: …/blobs is no folder, so nothing is written below it…',
    todo: 'Remove the link, and find out who made it. Nothing was written through it.',
    expected: { within: 4, code: 'restore-incomplete', published: 'what was verified', warnings: 'some' },
    run: async (rig) => {
      const elsewhere = join(rig.scratch, 'elsewhere');
      mkdirSync(elsewhere);
      mkdirSync(join(rig.dir, 'hub/models--org--large'), { recursive: true });
      symlinkSync(elsewhere, join(rig.dir, 'hub/models--org--large/blobs'));
      const ran = await rig.init();
      const written = readdirSync(elsewhere);
      execFileSync('rm', [join(rig.dir, 'hub/models--org--large/blobs')]);
      if (written.length > 0) throw new Error(`written through the link: ${written.join(', ')}`);
      return ran;
    },
  },
];

/** Whoever can write to the bucket, or to the dir, can withhold files; nothing else. */
export const hostile: Group = {
  name: 'hostile',
  title: 'A bucket or a dir that somebody has tampered with',
  rows: [...manifests, ...dirs],
};

function planted(fault: string, sees: string, claims: object): Row {
  return { fault, sees, todo: WHO, expected: INCOMPLETE, run: (rig) => startWith(rig, manifest(claims)) };
}

/** It is no tree of a cache, so it is not even looked at. */
function plantedTree(tree: string): Row {
  return {
    fault: `a manifest of a tree called ${tree}`,
    sees: COMPLETED,
    todo: WHO,
    expected: { within: 4, code: 'ok', published: 'everything' },
    run: (rig) => startWith(rig, manifest({ tree, files: [{ ...FILE, path: 'x.py' }] }), undefined, tree),
  };
}

function link(path: string, target: string): object {
  return { path: `snapshots/${COMMIT}/${path}`, target };
}

/** The bytes of a manifest that nobody honest would write. */
function manifest(claims: object): Buffer {
  const empty = {
    version: 1,
    tree: EVIL,
    generation: 1,
    supersedes: [],
    files: [],
    links: [],
    refs: [],
    retired: [],
  };
  return Buffer.from(JSON.stringify({ ...empty, ...claims }));
}

async function startWith(rig: Rig, bytes: Buffer, name = sha256(bytes), tree = EVIL): Promise<Ran> {
  const bucket = await rig.ownBucket();
  await rig.minio.write(bucket, `${PREFIX}${manifestKey(tree, name)}`, bytes);
  return rig.init({ bucket });
}

/** A start on a dir that holds everything, after something has happened to it. */
function startIn(rig: Rig, happen: (dir: string) => unknown): Promise<Ran> {
  copyCache(rig.original, rig.dir);
  happen(rig.dir);
  return rig.init();
}

function ourFolder(dir: string): string {
  const folder = join(dir, '.model-cache');
  mkdirSync(folder, { recursive: true });
  return folder;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
