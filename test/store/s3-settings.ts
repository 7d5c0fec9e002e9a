import type { CredentialSettings } from '../../src/store/credentials.ts';
import type { S3Settings } from '../../src/store/s3-access.ts';
import { S3Store } from '../../src/store/s3-store.ts';

export const NO_CREDENTIALS: CredentialSettings = {
  anonymous: false,
  keys: undefined,
  profile: undefined,
  webIdentity: false,
  container: false,
  imds: false,
  stsRegion: 'us-east-1',
};

export function staticKeys(accessKeyId: string, secretAccessKey: string): CredentialSettings {
  const keys = { source: 'the test', accessKeyId, secretAccessKey, sessionToken: undefined };
  return { ...NO_CREDENTIALS, keys };
}

/** Settings for a server on this machine; only what a test is about need be named. */
export function s3Settings(settings: Partial<S3Settings>): S3Settings {
  return {
    bucket: 'bucket',
    prefix: 'models',
    endpoint: undefined,
    region: 'us-east-1',
    credentials: staticKeys('AKIDEXAMPLE', 'wJalrXUtnFEMI'),
    caBundle: undefined,
    idleTimeout: 10_000,
    ...settings,
  };
}

/** Lends a store to `work`, and closes it. */
export async function withS3Store<T>(
  settings: Partial<S3Settings>,
  work: (store: S3Store) => Promise<T>,
): Promise<T> {
  const store = await S3Store.open(s3Settings(settings));
  try {
    return await work(store);
  } finally {
    store.close();
  }
}
