import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { readRegularFile } from '../files.ts';
import { resolveCredentials, type CredentialSettings, type ResolvedCredentials } from './credentials.ts';
import { missingCredentials } from './s3-errors.ts';

/** As they stand in the environment, under their upper-case names. */
export interface ProxyVariables {
  readonly HTTP_PROXY?: string | undefined;
  readonly HTTPS_PROXY?: string | undefined;
  readonly NO_PROXY?: string | undefined;
}

export interface S3Settings {
  readonly bucket: string;
  readonly prefix: string;
  /** With a scheme; undefined: AWS. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly credentials: CredentialSettings;
  /** A file of certificates to trust instead of Node's own. */
  readonly caBundle: string | undefined;
  /** Milliseconds without a byte after which a connection counts as dead. */
  readonly idleTimeout: number;
  /** By which the SDK is to go. */
  readonly proxies?: ProxyVariables | undefined;
  /** Why all bytes are to go through the AWS SDK; undefined: they need not. */
  readonly onlySdk?: string | undefined;
}

/** What it takes to be let in. */
export interface S3Access {
  readonly credentials: ResolvedCredentials | 'anonymous';
  /** Certificates in PEM to trust instead of Node's own. */
  readonly ca: Buffer | undefined;
}

/** All authorities there are take a quarter of a MiB. */
const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;

/** Throws `store-credentials-missing` when no source has any, `setting-invalid` for certificates that are none. */
export async function resolveAccess(settings: S3Settings): Promise<S3Access> {
  const credentials = settings.credentials.anonymous ? 'anonymous' : await resolveOrFail(settings);
  const isPlain = settings.endpoint?.startsWith('http:') === true;
  const ca = settings.caBundle === undefined || isPlain ? undefined : readBundle(settings.caBundle);
  return { credentials, ca };
}

/** How the bucket is reached. Safe to print. */
export function describeAccess({ endpoint, region }: S3Settings, { credentials }: S3Access): string {
  const source = credentials === 'anonymous' ? 'none, the bucket is public' : credentials.source;
  return `${endpoint ?? 'AWS'}, region ${region}, credentials: ${source}`;
}

async function resolveOrFail(settings: S3Settings): Promise<ResolvedCredentials> {
  const credentials = await resolveCredentials(settings.credentials, settings.idleTimeout).catch(
    (error: unknown) => {
      throw new ModelCacheError(
        'store-credentials-missing',
        `no credentials: ${toModelCacheError(error).message}`,
        {
          hint: 'check the profile, the web identity or the container that they should come from',
          cause: error,
        },
      );
    },
  );
  if (credentials !== undefined) return credentials;
  const { code, message, hint } = missingCredentials(settings);
  throw new ModelCacheError(code, message, { hint });
}

function readBundle(path: string): Buffer {
  const bytes = readOrExplain(path);
  // Node takes anything, and then trusts nobody.
  if (!bytes.includes('-----BEGIN ')) throw bundleInvalid(`a file without certificates: ${path}`);
  return bytes;
}

function readOrExplain(path: string): Buffer {
  try {
    return readRegularFile(path, MAX_BUNDLE_BYTES);
  } catch (cause) {
    throw bundleInvalid(`a file that cannot be read: ${path}`, cause);
  }
}

function bundleInvalid(what: string, cause?: unknown): ModelCacheError {
  return new ModelCacheError('setting-invalid', `AWS_CA_BUNDLE names ${what}`, {
    hint: 'name a file of certificates in PEM format, or unset it',
    cause,
  });
}
