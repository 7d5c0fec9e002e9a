import { ModelCacheError, type ErrorCode } from '../errors.ts';

/** What a request was about, for the message. */
export interface RequestContext {
  readonly url: string;
  readonly bucket: string;
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly key?: string;
}

interface AwsFault {
  readonly name?: string;
  readonly Code?: string;
  readonly code?: string;
  readonly message?: string;
  /** In the body of an answer that knows better. */
  readonly Region?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

interface Explanation {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPIPE',
  'TimeoutError',
]);

/** Anything the SDK throws, as one of our errors: what the provider said, and what usually is the matter. */
export function explainS3Error(error: unknown, context: RequestContext): ModelCacheError {
  if (error instanceof ModelCacheError) return error;
  const fault = error as AwsFault;
  const status = fault.$metadata?.httpStatusCode;
  const name = faultName(fault);
  const { code, message, hint } = explanationFor(name, status, fault, context);
  return new ModelCacheError(code, message, { hint, cause: error });
}

function explanationFor(
  name: string,
  status: number | undefined,
  fault: AwsFault,
  context: RequestContext,
): Explanation {
  const { bucket, endpoint, region, url, key } = context;
  const at = endpoint ?? 'AWS S3';
  const said = `${at} answered ${name}${status === undefined ? '' : ` (${status})`}`;
  switch (name) {
    case 'NoSuchKey':
    case 'NotFound':
      return { code: 'object-missing', message: `${url} has no object ${key ?? ''}`.trim() };
    case 'PreconditionFailed':
      return { code: 'object-changed', message: `${key ?? url} was replaced while it was read` };
    case 'InvalidRange':
      return { code: 'object-size-differs', message: `the object ${key ?? url} ends before it should` };
    case 'NoSuchUpload':
      return {
        code: 'object-upload-gone',
        message: `${said}: the upload of ${key ?? url} is not there any more`,
      };
    case 'InvalidPart':
    case 'InvalidPartOrder':
      return {
        code: 'object-part-invalid',
        message: `${said}: ${key ?? url} cannot be made of these parts`,
      };
    case 'BadDigest':
    case 'InvalidDigest':
    case 'XAmzContentSHA256Mismatch':
      return {
        code: 'object-digest-differs',
        message: `${said}: ${key ?? url} did not arrive as it was sent`,
      };
    case 'EntityTooSmall':
      return {
        code: 'store-failed',
        message: `${said}: a part of ${key ?? url} that is not the last is smaller than it takes`,
      };
    case 'InternalError':
      return { code: 'store-failed', message: `${said}: something went wrong on its side` };
    case 'NotImplemented':
    case 'MethodNotAllowed':
      return unsupported(said, context);
    case 'NoSuchBucket':
      return {
        code: 'store-bucket-missing',
        message: `${said}: there is no bucket ${bucket}`,
        hint: makeBucketHint(context),
      };
    case 'InvalidAccessKeyId':
    case 'InvalidAccessKey':
      return {
        code: 'store-credentials-refused',
        message: `${said}: it does not know this access key`,
        hint: `check the endpoint (${at}): a provider's other cluster does not know the key either (Backblaze B2: the cluster stands in the bucket's endpoint); then the access key id`,
      };
    case 'SignatureDoesNotMatch':
      return {
        code: 'store-credentials-refused',
        message: `${said}: the secret access key does not fit the access key`,
        hint: 'check the secret access key, and for spaces or line ends around it',
      };
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'InvalidToken':
    case 'TokenRefreshRequired':
      return {
        code: 'store-credentials-refused',
        message: `${said}: the session token is not valid any more`,
        hint: 'get new temporary credentials, or use a key that does not expire',
      };
    case 'RequestTimeTooSkewed':
    case 'RequestExpired':
      return {
        code: 'store-clock-skewed',
        message: `${said}: this machine's clock is off (it says ${new Date().toISOString()})`,
        hint: 'set the clock',
      };
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return regionExplanation(said, fault, region);
    case 'AccessDenied':
    case 'AllAccessDisabled':
    case 'Forbidden':
    case 'UnauthorizedAccess':
      return {
        code: 'store-denied',
        message: `${said} for ${key ?? `the listing of ${url}`}`,
        hint: 'give the key the rights s3:ListBucket, s3:GetObject and, to upload, s3:PutObject, s3:AbortMultipartUpload, s3:ListMultipartUploadParts and s3:ListBucketMultipartUploads',
      };
    case 'CredentialsProviderError':
    case 'NoCredentials':
      return missingCredentials(context);
    case 'SlowDown':
    case 'Throttling':
    case 'ThrottlingException':
    case 'TooManyRequests':
    case 'RequestLimitExceeded':
      return { code: 'store-throttled', message: `${said}: too many requests` };
    default:
      return byStatusOrNetwork(name, status, said, fault, context);
  }
}

function byStatusOrNetwork(
  name: string,
  status: number | undefined,
  said: string,
  fault: AwsFault,
  context: RequestContext,
): Explanation {
  const { endpoint, bucket, key } = context;
  const at = endpoint ?? 'AWS S3';
  const detail = fault.message === undefined || fault.message === '' ? '' : `: ${fault.message}`;
  if (NETWORK.has(name)) {
    const message = `cannot reach ${at}: ${name}${detail}`;
    return { code: 'store-unreachable', message, hint: 'check the endpoint and the network' };
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_|EPROTO|ERR_TLS|ERR_SSL/.test(name)) {
    const message = `no trusted connection to ${at}: ${name}${detail}`;
    return {
      code: 'store-unreachable',
      message,
      hint: 'if the certificate is of an authority of your own, name its file in AWS_CA_BUNDLE',
    };
  }
  if (status === undefined) return { code: 'store-failed', message: `${at}: ${name}${detail}` };
  if (status === 301 || status === 307) return regionExplanation(said, fault, context.region);
  if (status === 403 || status === 401)
    return {
      code: 'store-denied',
      message: `${said} for ${key ?? bucket}`,
      hint: 'check the key and its rights',
    };
  if (status === 404)
    return {
      code: 'store-bucket-missing',
      message: `${said} for ${key ?? bucket}`,
      hint: `check the endpoint and the bucket; ${makeBucketHint(context)}`,
    };
  if (status === 405 || status === 501) return unsupported(said, context);
  if (status === 412)
    return { code: 'object-changed', message: `${key ?? context.url} was replaced while it was read` };
  if (status === 429 || status === 503)
    return { code: 'store-throttled', message: `${said}: too many requests` };
  return {
    code: 'store-failed',
    message: `${said}${fault.message === undefined ? '' : `: ${fault.message}`}`,
  };
}

export function missingCredentials({ endpoint }: Pick<RequestContext, 'endpoint'>): Explanation {
  return {
    code: 'store-credentials-missing',
    message: `no credentials for ${endpoint ?? 'AWS S3'}`,
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or MODEL_CACHE_ACCESS_KEY_ID and MODEL_CACHE_SECRET_ACCESS_KEY), or --no-sign-request for a public bucket',
  };
}

function unsupported(said: string, { key, url }: RequestContext): Explanation {
  return { code: 'store-unsupported', message: `${said} for ${key ?? url}: it cannot do this` };
}

/** The bucket's region, where the store redirects to it. */
export function redirectedRegion(error: unknown): string | undefined {
  const fault = error as AwsFault;
  return fault.$metadata?.httpStatusCode === 301 ? toldRegion(fault) : undefined;
}

function toldRegion(fault: AwsFault): string | undefined {
  return fault.$response?.headers?.['x-amz-bucket-region'];
}

function regionExplanation(said: string, fault: AwsFault, region: string): Explanation {
  const told = toldRegion(fault) ?? fault.Region;
  return {
    code: 'store-region-wrong',
    message: `${said}: the bucket is not in region ${region}`,
    hint: told === undefined ? "set --region to the bucket's region" : `set --region ${told}`,
  };
}

function makeBucketHint({ endpoint, bucket }: RequestContext): string {
  return `make it with: aws s3 mb s3://${bucket}${endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`}`;
}

function faultName(fault: AwsFault): string {
  const candidates = [fault.Code, fault.code, fault.name];
  return (
    candidates.find((name) => name !== undefined && name !== '' && name !== 'Error') ?? 'an unknown error'
  );
}
