import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { Minio } from './minio.ts';

const READ_ONLY = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['s3:GetObject', 's3:ListBucket'], Resource: ['arn:aws:s3:::*'] }],
};

/** The variables of a key that may list and read the buckets of this server, and nothing else. */
export async function readerKey(minio: Minio): Promise<Record<string, string>> {
  const { accessKeyId, secretAccessKey, endpoint } = minio;
  const provide = fromTemporaryCredentials({
    masterCredentials: { accessKeyId, secretAccessKey },
    // MinIO takes any role: what counts is the policy of the session.
    params: { RoleArn: 'arn:aws:iam::123456789012:role/reader', Policy: JSON.stringify(READ_ONLY) },
    clientConfig: { endpoint, region: 'us-east-1' },
  });
  const key = await provide();
  return {
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    AWS_SESSION_TOKEN: key.sessionToken ?? '',
  };
}
