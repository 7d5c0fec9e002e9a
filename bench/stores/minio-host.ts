import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PutBucketPolicyCommand, type S3Client } from '@aws-sdk/client-s3';
import { makeCertificate, type Certificate } from '../../test/support/certificate.ts';
import { startMinio, type Minio } from '../../test/support/minio.ts';
import { modelCache } from '../../test/support/program.ts';
import { environmentOf } from '../contestants/model-cache.ts';
import type { DataSet } from '../data-sets.ts';
import { SERVER_ADDRESS, type Link } from '../link.ts';
import { startMinioBehind } from './minio-behind-link.ts';
import { localSite, type Site } from './site.ts';
import type { StoredSet, Unplaced } from './stored-set.ts';

const REGION = 'us-east-1';

interface Serving {
  readonly site: Site;
  readonly minio?: Minio;
  stop(): Promise<void>;
}

/** One folder of buckets, served by one MinIO at a time, plain or under TLS, here or behind a link. */
export class MinioHost {
  readonly dataDir: string;
  readonly #certified: Certificate;
  readonly #stored = new Map<string, Unplaced>();
  #serving: (Serving & { readonly way: string | Link }) | undefined;

  constructor(scratch: string) {
    this.dataDir = join(scratch, 'minio');
    mkdirSync(this.dataDir, { recursive: true });
    this.#certified = makeCertificate(scratch, {
      name: `IP:127.0.0.1,IP:${SERVER_ADDRESS}`,
      days: 2,
    });
  }

  get certified(): Certificate {
    return this.#certified;
  }

  async plain(): Promise<Site> {
    return (await this.#plain()).site;
  }

  async tls(): Promise<Site> {
    const { site } = await this.#serve('tls', () => local(this.dataDir, this.#certified));
    return site;
  }

  /** Asked for before `dataDir` holds a bucket, it has none to show. */
  async behind(link: Link, isTls: boolean): Promise<Site> {
    const keys = (await this.#plain()).minio;
    const certified = isTls ? this.#certified : undefined;
    const { site } = await this.#serve(link, () => startMinioBehind(link, this.dataDir, keys, certified));
    return site;
  }

  async client(): Promise<S3Client> {
    return (await this.#plain()).minio.client();
  }

  /** An empty bucket that anybody may read and write: the C reader signs nothing. */
  async emptyBucket(set: DataSet): Promise<StoredSet> {
    const { minio } = await this.#plain();
    const bucket = await minio.createBucket();
    const Policy = JSON.stringify(publicPolicy(bucket));
    await minio.client().send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
    const { endpoint, accessKeyId, secretAccessKey } = minio;
    return { set, endpoint, region: REGION, bucket, accessKeyId, secretAccessKey, lock: '' };
  }

  /** The set in a bucket of its own, put there by our own program, once. */
  async stored(set: DataSet): Promise<Unplaced> {
    const found = this.#stored.get(set.name) ?? (await this.#upload(set));
    this.#stored.set(set.name, found);
    return found;
  }

  async stop(): Promise<void> {
    await this.#serving?.stop();
    this.#serving = undefined;
  }

  async #upload(set: DataSet): Promise<StoredSet> {
    const store = await this.emptyBucket(set);
    const env = environmentOf(store, set.dir);
    const uploaded = await modelCache(['upload'], { env });
    if (uploaded.code !== 0) throw new Error(`wanted the set to be uploaded, found:\n${uploaded.stderr}`);
    const locked = await modelCache(['lock'], { env });
    if (locked.code !== 0) throw new Error(`wanted the bucket to be locked, found:\n${locked.stderr}`);
    return { ...store, lock: locked.stdout };
  }

  async #plain(): Promise<{ site: Site; minio: Minio }> {
    const { site, minio } = await this.#serve('plain', () => local(this.dataDir));
    if (minio === undefined) throw new Error('a local server has its own client');
    return { site, minio };
  }

  async #serve(way: string | Link, start: () => Promise<Serving>): Promise<Serving> {
    if (this.#serving?.way === way) return this.#serving;
    await this.stop();
    this.#serving = { ...(await start()), way };
    return this.#serving;
  }
}

async function local(dataDir: string, certified?: Certificate): Promise<Serving> {
  const minio = await startMinio({ dataDir, ...(certified && { certified }) });
  return {
    site: localSite(minio.endpoint, () => [minio.pid], certified?.certificate),
    minio,
    stop: () => minio.stop(),
  };
}

function publicPolicy(bucket: string): object {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: '*',
        Action: ['s3:GetObject', 's3:ListBucket', 's3:PutObject'],
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    ],
  };
}
