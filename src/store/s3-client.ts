import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { PutObjectCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { providerOf } from './providers.ts';
import type { S3Access, S3Settings } from './s3-access.ts';
import { longer } from './range-patience.ts';
import { redirectedRegion } from './s3-errors.ts';
import { boundAnswers } from './s3-middleware.ts';

const CONNECT_TIMEOUT_MS = 5000;
const MAX_SOCKETS = 32;
const say = (): void => undefined;
const SILENT = { trace: say, debug: say, info: say, warn: say, error: say };

/** The SDK's clients as every provider takes them. */
export interface S3Clients {
  readonly pooled: S3Client;
  /** A client that opens a connection for every request. */
  readonly unpooled: () => S3Client;
}

export function createClients(settings: S3Settings, { credentials, ca }: S3Access): S3Clients {
  const options = { ...(ca === undefined ? {} : { ca }), proxyEnv: { ...settings.proxies } };
  return {
    pooled: clientOf(settings, credentials, { keepAlive: true, ...options }),
    unpooled: () => clientOf(settings, credentials, { keepAlive: false, ...options }),
  };
}

function clientOf(
  { endpoint, region, idleTimeout }: S3Settings,
  credentials: S3Access['credentials'],
  { ca, ...options }: AgentOptions & { readonly ca?: Buffer },
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
      socketTimeout: longer(idleTimeout),
      httpAgent: new HttpAgent({ ...options, maxSockets: MAX_SOCKETS }),
      httpsAgent: new HttpsAgent({
        ...options,
        maxSockets: MAX_SOCKETS,
        ...(ca === undefined ? {} : { ca }),
      }),
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
