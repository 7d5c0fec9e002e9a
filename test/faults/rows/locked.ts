import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFESTS_PREFIX, manifestKey } from '../../../src/model/bucket.ts';
import { parseManifest, serializeManifest, type Manifest } from '../../../src/model/manifest.ts';
import { modelCache } from '../../support/program.ts';
import type { Rig } from '../rig.ts';
import type { Group } from '../row.ts';
import type { Ran } from '../running.ts';

const PREFIX = 'models/';
const TREE = 'hub/models--org--large';
const COMPLETED = 'S3 model sync completed - models cached in …';
const TO_LOCK =
  'Put back what was locked, or lock what is there now with `model-cache lock` and look at the difference.';

/** What a bucket can do to a start that has locked its manifests: withhold, and nothing else. */
export const locked: Group = {
  name: 'locked',
  title: 'Locked starts',
  rows: [
    {
      fault: 'nothing: a locked start, with a key that could do anything',
      sees: COMPLETED,
      todo: 'Nothing.',
      quick: true,
      expected: { within: 3, code: 'ok', published: 'everything' },
      run: (rig) => lockedInit(rig, () => undefined),
    },
    {
      fault: 'a locked manifest was deleted from the bucket',
      sees: `${TREE}: its locked manifest cannot be had: …put back into the bucket what was locked, or lock what is there now with \`model-cache lock\``,
      todo: TO_LOCK,
      quick: true,
      expected: { within: 3, code: 'restore-incomplete', published: 'what was verified', warnings: 'some' },
      run: (rig) =>
        lockedInit(rig, async (bucket) => rig.minio.remove(bucket, await manifestOf(rig, bucket))),
    },
    {
      fault: 'the bytes of a locked manifest were replaced',
      sees: `${TREE}: its locked manifest cannot be had: …`,
      todo: TO_LOCK,
      expected: { within: 3, code: 'restore-incomplete', published: 'what was verified', warnings: 'some' },
      run: (rig) =>
        lockedInit(rig, async (bucket) => {
          const { bytes } = serializeManifest(await planted(rig, bucket));
          await rig.minio.write(bucket, await manifestOf(rig, bucket), bytes);
        }),
    },
    {
      fault: 'a newer manifest was planted, which supersedes the locked one and names other files',
      sees: COMPLETED,
      todo: 'Nothing: it is not even looked at.',
      expected: { within: 3, code: 'ok', published: 'everything' },
      run: (rig) =>
        lockedInit(rig, async (bucket) => {
          const { name, bytes } = serializeManifest(await planted(rig, bucket));
          await rig.minio.write(bucket, `${PREFIX}${manifestKey(TREE, name)}`, bytes);
        }),
    },
    {
      fault: 'the bytes of a locked file were replaced by others of the same length',
      sees: ['S3 model sync failed: 1 of 12 files could not be restored; the server will download to …'],
      todo: 'Find out who writes to the bucket. `model-cache upload` from a cache that holds the file puts the right bytes back.',
      expected: { within: 8, code: 'restore-incomplete', published: 'what was verified', warnings: 'some' },
      run: (rig) =>
        lockedInit(rig, async (bucket) => {
          const right = await rig.minio.read(bucket, rig.largest);
          await rig.minio.write(bucket, rig.largest, Buffer.alloc(right.length, 'x'));
        }),
    },
    {
      fault: 'the lock file is not there',
      sees: 'the lock file … is not there; give --locked a file that `model-cache lock` has written',
      todo: 'Check `--locked`, and that the file is in the image. Nothing is restored without it.',
      quick: true,
      expected: { within: 3, code: 'lock-invalid', published: 'nothing' },
      run: (rig) => rig.init({ args: ['--locked', join(rig.scratch, 'no.lock')] }),
    },
    {
      fault: 'the lock file is not there, and --strict is given',
      sees: 'The server is not started: --strict, and lock-invalid…',
      todo: 'Check `--locked`, and that the file is in the image.',
      expected: {
        within: 3,
        code: 'lock-invalid',
        published: 'nothing',
        server: 'is not started',
        exitCode: 125,
      },
      run: (rig) => rig.init({ args: ['--strict', '--locked', join(rig.scratch, 'no.lock')] }),
    },
    {
      fault: 'the lock file is garbage',
      sees: '…lock file …, line 1: …',
      todo: 'Write it anew with `model-cache lock`.',
      expected: { within: 3, code: 'lock-invalid', published: 'nothing' },
      run: (rig) => {
        const lock = join(rig.scratch, 'models.lock');
        writeFileSync(lock, 'SWivid/F5-TTS\n');
        return rig.init({ args: ['--locked', lock] });
      },
    },
  ],
};

/** Locks what a bucket of the row's own holds, lets something happen to it, and starts with the lock. */
async function lockedInit(rig: Rig, happen: (bucket: string) => unknown): Promise<Ran> {
  const bucket = await rig.ownBucket();
  const { code, stdout, stderr } = await modelCache(['lock'], { env: rig.minio.env(bucket) });
  if (code !== 0) throw new Error(`wanted a lock, found:\n${stderr}`);
  const lock = join(rig.scratch, 'models.lock');
  writeFileSync(lock, stdout);
  await happen(bucket);
  return rig.init({ bucket, args: ['--locked', lock] });
}

/** The key of the manifest of the larger repo. */
async function manifestOf(rig: Rig, bucket: string): Promise<string> {
  const folder = `${PREFIX}${MANIFESTS_PREFIX}${encodeURIComponent(TREE)}/`;
  const key = [...(await rig.minio.objects(bucket)).keys()].find((candidate) => candidate.startsWith(folder));
  if (key === undefined) throw new Error(`wanted a manifest in ${folder}, found none`);
  return key;
}

/** As somebody with a writer's key could make it: a right manifest of bytes that nobody has locked. */
async function planted(rig: Rig, bucket: string): Promise<Manifest> {
  const key = await manifestOf(rig, bucket);
  const name = key.slice(key.lastIndexOf('/') + 1, -'.json'.length);
  const { manifest } = parseManifest(TREE, name, await rig.minio.read(bucket, key));
  const files = manifest.files.map((file) => (file.size > 0 ? { ...file, executable: true } : file));
  return { ...manifest, generation: manifest.generation + 1, supersedes: [name], files, links: [] };
}
