import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { Minio } from './minio.ts';

const POLICIES = join(import.meta.dirname, '..', '..', 'docs', 'policies');
const READ_ONLY = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['s3:GetObject', 's3:ListBucket'], Resource: ['arn:aws:s3:::*'] }],
};

/** The variables of a key. */
export interface Key extends Readonly<Record<string, string>> {
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
  readonly AWS_SESSION_TOKEN: string;
}

/** The variables of a key that may list and read the buckets of this server, and nothing else. */
export function readerKey(minio: Minio): Promise<Key> {
  return keyWithPolicy(minio, JSON.stringify(READ_ONLY));
}

/** A policy of docs/policies, for this bucket. */
export function documentedPolicy(name: 'reader' | 'reader-locked' | 'writer', bucket: string): string {
  return readFileSync(join(POLICIES, `${name}.json`), 'utf8').replaceAll('BUCKET', bucket);
}

/** A key that may do what this policy document allows, and nothing else. */
export async function keyWithPolicy(minio: Minio, policy: string): Promise<Key> {
  const { accessKeyId, secretAccessKey, endpoint } = minio;
  const provide = fromTemporaryCredentials({
    masterCredentials: { accessKeyId, secretAccessKey },
    // MinIO takes any role: what counts is the policy of the session.
    params: { RoleArn: 'arn:aws:iam::123456789012:role/test', Policy: policy },
    clientConfig: { endpoint, region: 'us-east-1' },
  });
  const key = await provide();
  return {
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    AWS_SESSION_TOKEN: key.sessionToken ?? '',
  };
}
