import { readFileSync } from 'node:fs';
import { countdown, isCounted } from '../countdown.ts';
import { ModelCacheError } from '../errors.ts';
import { keptIdentity, type Identity, type IdentityProvider } from './kept-identity.ts';

/** Where credentials may come from, decided once by the settings. */
export interface CredentialSettings {
  /** `--no-sign-request`: a public bucket, no credentials at all. */
  readonly anonymous: boolean;
  /** From MODEL_CACHE_* or the AWS environment. */
  readonly keys: StaticKeys | undefined;
  readonly profile: string | undefined;
  /** AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are set. */
  readonly webIdentity: boolean;
  /** AWS_CONTAINER_CREDENTIALS_*_URI is set. */
  readonly container: boolean;
  /** `--imds`: ask the instance metadata service even where this does not look like EC2. */
  readonly imds: boolean;
  /** Where AWS's own STS is asked; never the store's endpoint. */
  readonly stsRegion: string;
}

export interface StaticKeys {
  readonly source: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface ResolvedCredentials {
  /** Safe to print. */
  readonly source: string;
  readonly identity: Identity;
  /** For each request: the identity as it is then. */
  readonly provider: IdentityProvider;
}

const IMDS_TIMEOUT_MS = 1000;
/** Shorter than the SDK's own, which is only a warning. */
const CONTAINER_PATIENCE_MS = 2500;
const CONTAINER_TIMEOUT_MS = 3000;
const LONGEST_PATIENCE_MS = 30_000;
const say = (): void => undefined;
const SILENT = { debug: say, info: say, warn: say, error: say };

/**
 * The first source that has credentials, in the documented order; undefined when none has. One that is configured and
 * does not answer (a program, an agent, a disk) is given up after `patience` ms: `store-credentials-missing`.
 */
export async function resolveCredentials(
  settings: CredentialSettings,
  patience = LONGEST_PATIENCE_MS,
): Promise<ResolvedCredentials | undefined> {
  if (settings.keys !== undefined) return fromKeys(settings.keys);
  const longest = isCounted(patience) ? Math.min(patience, LONGEST_PATIENCE_MS) : LONGEST_PATIENCE_MS;
  for (const [source, ask, ownPatience = longest] of await providersOf(settings)) {
    const provider = keptIdentity(inTime(source, ask, Math.min(ownPatience, longest)));
    try {
      return { source, identity: await provider(), provider };
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  return undefined;
}

async function providersOf(
  settings: CredentialSettings,
): Promise<readonly (readonly [string, IdentityProvider, number?])[]> {
  const sdk = await import('@aws-sdk/credential-providers');
  const { stsRegion: region, profile } = settings;
  // An endpoint variable meant for the store must not receive a web identity token.
  const clientConfig = { region, endpoint: `https://sts.${region}.amazonaws.com` };
  const named = profile === undefined ? {} : { profile };
  const webIdentity = settings.webIdentity
    ? [['a web identity', sdk.fromTokenFile({ clientConfig })] as const]
    : [];
  const container = settings.container
    ? [['the container', containerProvider(sdk), CONTAINER_PATIENCE_MS] as const]
    : [];
  const instance =
    settings.imds || looksLikeEc2()
      ? [['the instance', sdk.fromInstanceMetadata({ timeout: IMDS_TIMEOUT_MS, maxRetries: 0 })] as const]
      : [];
  return [
    [
      `the profile ${profile ?? 'default'}`,
      sdk.fromIni({
        ...named,
        clientConfig,
        // A profile's web identity does not heed clientConfig, and would go to an endpoint_url of the profile.
        roleAssumerWithWebIdentity: ({ RoleArn, RoleSessionName, WebIdentityToken }) =>
          sdk.fromWebToken({
            roleArn: RoleArn,
            roleSessionName: RoleSessionName,
            webIdentityToken: WebIdentityToken,
            clientConfig,
          })(),
      }),
    ],
    ['an SSO session', sdk.fromSSO({ ...named })],
    ['a credential process', sdk.fromProcess(named)],
    ...webIdentity,
    ...container,
    ...instance,
  ];
}

function containerProvider(sdk: {
  readonly fromHttp: (options: object) => IdentityProvider;
}): IdentityProvider {
  return sdk.fromHttp({ timeout: CONTAINER_TIMEOUT_MS, maxRetries: 0, logger: SILENT });
}

function inTime(source: string, ask: IdentityProvider, patience: number): IdentityProvider {
  return async () => {
    const late = Promise.withResolvers<never>();
    const timer = countdown(patience, () => late.reject(tooLate(source, patience)));
    try {
      return await Promise.race([ask(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}

function tooLate(source: string, patience: number): ModelCacheError {
  const message = `${source} did not answer within ${patience / 1000} s`;
  return new ModelCacheError('store-credentials-missing', message);
}

function fromKeys({ source, accessKeyId, secretAccessKey, sessionToken }: StaticKeys): ResolvedCredentials {
  const identity = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  return { source, identity, provider: () => Promise.resolve(identity) };
}

function looksLikeEc2(): boolean {
  return ['sys_vendor', 'board_asset_tag'].some((file) => {
    try {
      return /^(Amazon EC2|i-[0-9a-f]+)/.test(readFileSync(`/sys/devices/virtual/dmi/id/${file}`, 'utf8'));
    } catch {
      return false;
    }
  });
}

/** A source without credentials says so by this error; every other error is worth telling. */
function isAbsent(error: unknown): boolean {
  return (
    (error as { name?: string }).name === 'CredentialsProviderError' ||
    (error as { tryNextLink?: boolean }).tryNextLink === true
  );
}
