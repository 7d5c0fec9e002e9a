import { resolve } from 'node:path';
import { ModelCacheError } from '../errors.ts';
import type { CredentialSettings, StaticKeys } from '../store/credentials.ts';
import type { StoreSettings } from '../store/open-store.ts';
import { providerOf } from '../store/providers.ts';
import { parseBucket, parseStoreUrl, type StoreUrl } from '../store/store-url.ts';
import { dirsOf, whyDirInStore } from './dirs.ts';
import { whyOnlySdk } from './only-sdk.ts';
import { parseEndpoint } from './parse.ts';
import { proxiesOf } from './proxies.ts';
import type { RawSettings } from './raw.ts';

/** The store, or what is wrong with its name or endpoint: then it is no store at all, and never another one. */
export function storeOf(
  raw: RawSettings,
  stall: number,
  named: readonly string[],
): StoreSettings | ModelCacheError | undefined {
  const before = raw.problems.length;
  const url = raw.value('store', parseStoreUrl) ?? storeOfBucketVariable(raw);
  const endpoint = raw.value('endpointUrl', parseEndpoint);
  const [problem] = raw.problems.splice(before);
  // Its hint speaks of a default, and here there is none.
  if (problem !== undefined) return problem.cause instanceof ModelCacheError ? problem.cause : problem;
  if (url === undefined) return undefined;
  if (url.kind === 'file') {
    const dirs = raw.has('dir') ? dirsOf(named, url.path) : [];
    return whyDirInStore(dirs, url.path) ?? url;
  }
  const bucketInEndpoint = whyBucketTwice(url.bucket, endpoint);
  if (bucketInEndpoint !== undefined) return bucketInEndpoint;
  const proxies = proxiesOf(raw);
  const trustsAnybody = raw.variable('NODE_TLS_REJECT_UNAUTHORIZED') === '0';
  const awsRegion = raw.variable('AWS_REGION') ?? raw.variable('AWS_DEFAULT_REGION');
  return {
    ...url,
    endpoint,
    region: raw.text('region') ?? providerOf(endpoint).region ?? 'us-east-1',
    credentials: credentialsOf(raw, awsRegion ?? 'us-east-1'),
    caBundle: absolute(raw.variable('AWS_CA_BUNDLE')),
    idleTimeout: stall,
    proxies,
    onlySdk: whyOnlySdk({ endpoint, proxies, trustsAnybody }),
  };
}

/** Some providers show a bucket's address so. Its objects would be looked for below a folder of the bucket's name. */
function whyBucketTwice(bucket: string, endpoint: string | undefined): ModelCacheError | undefined {
  if (endpoint === undefined || !new URL(endpoint).pathname.endsWith(`/${bucket}`)) return undefined;
  return new ModelCacheError('setting-invalid', 'the endpoint names the bucket, which --store does already', {
    wanted: endpoint.slice(0, -bucket.length - 1),
    found: endpoint,
  });
}

function storeOfBucketVariable(raw: RawSettings): StoreUrl | undefined {
  const bucket = raw.variable('S3_BUCKET');
  return bucket === undefined
    ? undefined
    : raw.fromVariable('store', 'S3_BUCKET', bucket, (name) =>
        parseStoreUrl(`s3://${parseBucket(name)}/models`),
      );
}

function credentialsOf(raw: RawSettings, stsRegion: string): CredentialSettings {
  const has = (...names: readonly string[]): boolean =>
    names.every((name) => raw.variable(name) !== undefined);
  return {
    anonymous: raw.flag('noSignRequest'),
    keys: keysOf(raw, 'MODEL_CACHE_') ?? keysOf(raw, 'AWS_'),
    profile: raw.variable('AWS_PROFILE'),
    webIdentity: has('AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_ROLE_ARN'),
    container: has('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI') || has('AWS_CONTAINER_CREDENTIALS_FULL_URI'),
    imds: raw.flag('imds'),
    stsRegion,
  };
}

function keysOf(raw: RawSettings, prefix: string): StaticKeys | undefined {
  const accessKeyId = raw.variable(`${prefix}ACCESS_KEY_ID`);
  const secretAccessKey = raw.variable(`${prefix}SECRET_ACCESS_KEY`);
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return {
    source: `${prefix}ACCESS_KEY_ID`,
    accessKeyId,
    secretAccessKey,
    sessionToken: raw.variable(`${prefix}SESSION_TOKEN`),
  };
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}
