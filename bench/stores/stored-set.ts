import { dirname } from 'node:path';
import type { DataSet } from '../data-sets.ts';
import type { Site } from './site.ts';

/** Below it, a bucket has each file under its path in the hub folder; the peers restore what is below it. */
export const HUB_PREFIX = 'models/hub/';

/** A set in a bucket, and how the bucket is reached. */
export interface StoredSet {
  readonly set: DataSet;
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Certificates to trust, where the endpoint speaks TLS. */
  readonly caFile?: string | undefined;
  /** What `model-cache lock` says of the bucket. */
  readonly lock: string;
}

/** Which bucket it is, but not where it is asked for. */
export type Unplaced = Omit<StoredSet, 'endpoint' | 'caFile'>;

/** The bucket as it is reached at a site. */
export function at({ endpoint, caFile }: Site, stored: Unplaced): StoredSet {
  return { ...stored, endpoint, caFile };
}

export function accessVariables(store: StoredSet): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: store.accessKeyId,
    AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
    AWS_REGION: store.region,
    ...(store.caFile === undefined ? {} : { AWS_CA_BUNDLE: store.caFile }),
  };
}

/** The folder below the hub folder that has all files of a set. */
export function blobsOf({ files }: DataSet): string {
  const folders = new Set(Array.from(files.keys(), (path) => dirname(path)));
  const [folder] = folders;
  if (folder === undefined || folders.size !== 1)
    throw new Error(`wanted one folder of blobs, found ${folders.size}`);
  return folder;
}
