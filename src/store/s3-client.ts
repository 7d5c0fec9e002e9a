import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { PutObjectCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { isCounted } from '../countdown.ts';
import { ModelCacheError, toModelCacheError } from '../errors.ts';
import { readRegularFile } from '../files.ts';
import { resolveCredentials, type CredentialSettings, type ResolvedCredentials } from './credentials.ts';
import { providerOf } from './providers.ts';
import { missingCredentials, redirectedRegion } from './s3-errors.ts';
import { boundAnswers } from './s3-middleware.ts';

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
}

const CONNECT_TIMEOUT_MS = 5000;
const MAX_SOCKETS = 32;
/** All authorities there are take a quarter of a MiB. */
const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;
const say = (): void => undefined;
const SILENT = { trace: say, debug: say, info: say, warn: say, error: say };

/** The SDK's clients as every provider takes them, and where their credentials came from. */
export interface S3Clients {
  readonly pooled: S3Client;
  /** A client that opens a connection for every request. */
  readonly unpooled: () => S3Client;
  readonly credentialSource: string;
}

export async function createClients(settings: S3Settings): Promise<S3Clients> {
  const credentials = settings.credentials.anonymous ? 'anonymous' : await resolveOrFail(settings);
  const isPlain = settings.endpoint?.startsWith('http:') === true;
  const tls = settings.caBundle === undefined || isPlain ? {} : { ca: readBundle(settings.caBundle) };
  const pooled = clientOf(settings, credentials, { keepAlive: true, ...tls });
  return {
    pooled,
    unpooled: () => clientOf(settings, credentials, { keepAlive: false, ...tls }),
    credentialSource: credentials === 'anonymous' ? 'none, the bucket is public' : credentials.source,
  };
}

function clientOf(
  { endpoint, region, idleTimeout }: S3Settings,
  credentials: ResolvedCredentials | 'anonymous',
  { keepAlive, ...tls }: { readonly keepAlive: boolean; readonly ca?: Buffer },
): S3Client {
  const known = { region };
  const client = new S3Client({
    region: () => Promise.resolve(known.region),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: providerOf(endpoint).forcePathStyle,
    maxAttempts: 3,
    // Many providers refuse or misreport the SDK's own checksums; ours decide.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The SDK does not wait for the answer to it, and not every proxy takes it.
    expectContinueHeader: false,
    followRegionRedirects: true,
    // The SDK's own words would stand between those of this program.
    logger: SILENT,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_TIMEOUT_MS,
      // A body has a timer of its own, which knows more and shall be first.
      socketTimeout: isCounted(idleTimeout) ? idleTimeout + 1000 : 0,
      httpAgent: new HttpAgent({ keepAlive, maxSockets: MAX_SOCKETS }),
      httpsAgent: new HttpsAgent({ keepAlive, maxSockets: MAX_SOCKETS, ...tls }),
    }),
    ...(credentials === 'anonymous'
      ? {
          signer: { sign: (request) => Promise.resolve(request) },
          credentials: { accessKeyId: '', secretAccessKey: '' },
        }
      : { credentials: credentials.provider }),
  });
  rememberRegion(client, known);
  boundAnswers(client, idleTimeout);
  return client;
}

/** The SDK forgets at once where it was redirected to, and a part, which is sent in a stream, cannot be redirected. */
function rememberRegion(client: S3Client, known: { region: string }): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        known.region = redirectedRegion(error) ?? known.region;
        throw error;
      }
    },
    { step: 'initialize', priority: 'low', name: 'rememberRegion' },
  );
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

/** lib-storage aborts its upload, but not the requests in flight; through this client it does both, and waits. */
export function abortingWith(client: S3Client, signal: AbortSignal | undefined): S3Client {
  if (signal === undefined) return client;
  const send = (command: Parameters<S3Client['send']>[0]): Promise<unknown> => {
    const carriesBytes = command instanceof UploadPartCommand || command instanceof PutObjectCommand;
    return client.send(command, carriesBytes ? within(signal) : {});
  };
  return Object.assign(Object.create(client) as S3Client, { send });
}

export function within(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
