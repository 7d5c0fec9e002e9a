import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeLargeBlob } from '../../support/large-blob.ts';
import { modelCache } from '../../support/program.ts';
import { withMemory } from '../confined.ts';
import type { Rig, RunOptions } from '../rig.ts';
import type { Row } from '../row.ts';
import { COMPLETED, MiB, NOTHING } from './shared.ts';

const OK = { code: 'ok', published: 'everything' } as const;

/** Files larger than all the memory that there is. */
export const memory: readonly Row[] = [
  {
    fault: 'there are 512 MiB of memory, and a file of 700 MiB',
    sees: COMPLETED,
    todo: NOTHING,
    needs: ['memory cgroups'],
    expected: { within: 30, ...OK },
    run: async (rig) => rig.init({ ...(await filled(rig, 700)), wrapper: withMemory(rig, 512 * MiB) }),
  },
  {
    fault: 'there are 128 MiB of memory, and a file of 256 MiB',
    sees: COMPLETED,
    todo: 'Nothing. It is the least that this program needs; the server needs more.',
    needs: ['memory cgroups'],
    expected: { within: 20, ...OK },
    run: async (rig) => rig.init({ ...(await filled(rig, 256)), wrapper: withMemory(rig, 128 * MiB) }),
  },
  {
    fault: 'there are 128 MiB of memory, and a file of 256 MiB is uploaded',
    sees: 'Models uploaded to S3 - future cold starts will be faster: 1 file, …',
    todo: 'Nothing. It is the least that an upload needs, beside the server.',
    needs: ['memory cgroups'],
    expected: { within: 20, ...OK },
    run: (rig) => rig.upload({ ...withLargeFile(rig, 256), wrapper: withMemory(rig, 128 * MiB) }),
  },
];

/** A bucket of the row's own, and what is in it. */
async function filled(rig: Rig, mebibytes: number): Promise<RunOptions> {
  const { original, dir } = withLargeFile(rig, mebibytes);
  const bucket = await rig.minio.createBucket();
  const env = rig.minio.env(bucket);
  const { code, stderr } = await modelCache(['upload', '--dir', dir], { env });
  if (code !== 0) throw new Error(`wanted a filled bucket, found:\n${stderr}`);
  return { original, bucket };
}

/** An original, and a cache with the same for a run that writes to it. */
function withLargeFile(rig: Rig, mebibytes: number): { readonly original: string; readonly dir: string } {
  const [blobs, original, dir] = ['blobs', 'original', 'copy'].map((name) => join(rig.scratch, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(blobs);
  const blob = makeLargeBlob(blobs, mebibytes * MiB);
  for (const cache of [original, dir]) blob.linkInto(cache);
  return { original, dir };
}
