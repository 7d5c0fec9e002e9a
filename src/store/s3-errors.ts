import { ModelCacheError } from '../errors.ts';
import { detailOf, nameOf, statusOf, toldHost, toldRegion, whatItSaid, type AwsFault } from './aws-fault.ts';
import { connectionExplanation, type Explanation } from './connection-errors.ts';

/** What a request was about, for the message. */
export interface RequestContext {
  readonly url: string;
  readonly bucket: string;
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly key?: string;
}

/** Anything the SDK throws, as one of our errors: what the provider said, and what usually is the matter. */
export function explainS3Error(error: unknown, context: RequestContext): ModelCacheError {
  if (error instanceof ModelCacheError) return error;
  const { code, message, hint } = explanationFor(error as AwsFault, context);
  return new ModelCacheError(code, message, { hint, cause: error });
}

function explanationFor(fault: AwsFault, context: RequestContext): Explanation {
  const { bucket, endpoint, region, url, key } = context;
  const at = endpoint ?? 'AWS S3';
  const said = `${at} answered ${whatItSaid(fault)}`;
  const name = nameOf(fault);
  switch (name) {
    case 'NoSuchKey':
    case 'NotFound':
      if (key === undefined) return byStatus(said, fault, context);
      return { code: 'object-missing', message: `${url} has no object ${key}` };
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
    case 'InvalidBucketName':
      return {
        code: 'store-bucket-missing',
        message: `${said}: no bucket is called ${bucket}`,
        hint: 'check the name in --store: lower-case letters, digits, dots and hyphens',
      };
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
    case 'InvalidTokenId':
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
      return throttled(said);
    default:
      return connectionExplanation(at, fault) ?? byStatus(said, fault, context);
  }
}

function byStatus(said: string, fault: AwsFault, context: RequestContext): Explanation {
  const { bucket, key, url } = context;
  switch (statusOf(fault) ?? 0) {
    case 301:
      return regionExplanation(said, fault, context.region);
    case 302:
    case 303:
    case 307:
    case 308:
      return sentOn(said, fault, context.region);
    case 401:
    case 403:
      return {
        code: 'store-denied',
        message: `${said} for ${key ?? bucket}`,
        hint: 'check the key and its rights',
      };
    case 404:
      return {
        code: 'store-bucket-missing',
        message: `${said} for ${key ?? bucket}`,
        hint: `check the endpoint and the bucket; ${makeBucketHint(context)}`,
      };
    case 405:
    case 501:
      return unsupported(said, context);
    case 412:
      return { code: 'object-changed', message: `${key ?? url} was replaced while it was read` };
    case 429:
    case 503:
      return throttled(said);
    default:
      return { code: 'store-failed', message: `${said}${detailOf(fault)}` };
  }
}

export function missingCredentials({ endpoint }: Pick<RequestContext, 'endpoint'>): Explanation {
  return {
    code: 'store-credentials-missing',
    message: `no credentials for ${endpoint ?? 'AWS S3'}`,
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or MODEL_CACHE_ACCESS_KEY_ID and MODEL_CACHE_SECRET_ACCESS_KEY), or --no-sign-request for a public bucket',
  };
}

function throttled(said: string): Explanation {
  return {
    code: 'store-throttled',
    message: `${said}: too many requests`,
    hint: 'start fewer pods at once, or ask the provider for more requests a second',
  };
}

function unsupported(said: string, { key, url }: RequestContext): Explanation {
  return { code: 'store-unsupported', message: `${said} for ${key ?? url}: it cannot do this` };
}

/** The bucket's region, where the store redirects to it. */
export function redirectedRegion(error: unknown): string | undefined {
  const fault = error as AwsFault;
  return statusOf(fault) === 301 ? toldRegion(fault) : undefined;
}

/** Signed requests follow no redirect: a key is for the host that was named. */
function sentOn(said: string, fault: AwsFault, region: string): Explanation {
  if (toldRegion(fault) !== undefined) return regionExplanation(said, fault, region);
  const host = toldHost(fault);
  return {
    code: 'store-failed',
    message: `${said}: it sends on${host === undefined ? '' : ` to ${host}`}`,
    hint: 'name the store itself in the endpoint; a page to sign in at may stand before it',
  };
}

function regionExplanation(said: string, fault: AwsFault, region: string): Explanation {
  const told = toldRegion(fault);
  return {
    code: 'store-region-wrong',
    message: `${said}: the bucket is not in region ${region}`,
    hint: told === undefined ? "set --region to the bucket's region" : `set --region ${told}`,
  };
}

function makeBucketHint({ endpoint, bucket }: RequestContext): string {
  return `make it with: aws s3 mb s3://${bucket}${endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`}`;
}
