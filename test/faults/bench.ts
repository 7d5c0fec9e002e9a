import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMinio, type Minio } from '../support/minio.ts';
import { modelCache } from '../support/program.ts';
import { startToxiproxy, type Toxiproxy } from '../support/toxiproxy.ts';
import { makeOriginal } from './original.ts';

/** What all rows share. Nobody writes to the bucket or to the original. */
export interface Bench {
  readonly minio: Minio;
  readonly toxiproxy: Toxiproxy;
  /** A cache as a server left it. */
  readonly original: string;
  /** Holds all of it. */
  readonly bucket: string;
  /** The key of the object that has several ranges. */
  readonly largest: string;
  /** For the folders of rows: on a disk, not a tmpfs. */
  readonly scratch: string;
  stop(): Promise<void>;
}

export async function startBench(): Promise<Bench> {
  const scratch = await mkdtemp(join(tmpdir(), 'model-cache-faults-'));
  await chmod(scratch, 0o755);
  const [minio, toxiproxy] = await Promise.all([startMinio(), startToxiproxy()]);
  const original = join(scratch, 'original');
  makeOriginal(original);
  const bucket = await minio.createBucket();
  const filled = await modelCache(['upload', '--dir', original], { env: minio.env(bucket) });
  if (filled.code !== 0) throw new Error(`wanted a filled bucket, found:\n${filled.stderr}`);
  await rm(join(original, '.model-cache'), { recursive: true, force: true });
  return {
    minio,
    toxiproxy,
    original,
    bucket,
    largest: largestOf(await minio.objects(bucket)),
    scratch,
    async stop() {
      await Promise.all([minio.stop(), toxiproxy.stop()]);
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

function largestOf(objects: ReadonlyMap<string, { readonly size: number }>): string {
  return [...objects].reduce((a, b) => (b[1].size > a[1].size ? b : a))[0];
}
