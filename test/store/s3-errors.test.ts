import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain, ModelCacheError, type ErrorCode } from '../../src/errors.ts';
import { explainS3Error } from '../../src/store/s3-errors.ts';
import { isWorthRetrying } from '../../src/store/store.ts';

const CONTEXT = {
  url: 's3://bucket/models',
  bucket: 'bucket',
  endpoint: 'https://s3.us-west-004.backblazeb2.com',
  region: 'us-west-004',
  key: 'hub/k',
};

interface Row {
  readonly name: string;
  readonly status?: number;
  readonly more?: object;
  readonly code: ErrorCode;
  readonly says?: RegExp;
}

const TABLE: readonly Row[] = [
  { name: 'NoSuchKey', status: 404, code: 'object-missing', says: /hub\/k/ },
  { name: 'NotFound', status: 404, code: 'object-missing' },
  { name: 'PreconditionFailed', status: 412, code: 'object-changed', says: /hub\/k/ },
  {
    name: 'NoSuchBucket',
    status: 404,
    code: 'store-bucket-missing',
    says: /aws s3 mb s3:\/\/bucket --endpoint-url https:\/\/s3\.us-west-004\.backblazeb2\.com/,
  },
  {
    name: 'InvalidAccessKeyId',
    status: 403,
    code: 'store-credentials-refused',
    says: /check the endpoint \(https:\/\/s3\.us-west-004\.backblazeb2\.com\).*access key id/,
  },
  {
    name: 'SignatureDoesNotMatch',
    status: 403,
    code: 'store-credentials-refused',
    says: /secret access key/,
  },
  { name: 'ExpiredToken', status: 400, code: 'store-credentials-refused', says: /session token/ },
  { name: 'InvalidToken', status: 400, code: 'store-credentials-refused' },
  { name: 'InvalidTokenId', status: 403, code: 'store-credentials-refused' },
  {
    name: 'AccessDenied',
    status: 403,
    code: 'store-denied',
    says: /s3:ListBucket.*s3:GetObject.*s3:PutObject/,
  },
  { name: 'RequestTimeTooSkewed', status: 403, code: 'store-clock-skewed', says: /clock.*\d{4}-\d\d-\d\dT/ },
  {
    name: 'PermanentRedirect',
    status: 301,
    more: { $response: { headers: { 'x-amz-bucket-region': 'eu-west-1' } } },
    code: 'store-region-wrong',
    says: /not in region us-west-004.*--region eu-west-1/,
  },
  { name: 'Moved', status: 301, code: 'store-region-wrong', says: /set --region/ },
  {
    name: 'AuthorizationHeaderMalformed',
    status: 400,
    more: { Region: 'eu-central-1' },
    code: 'store-region-wrong',
    says: /--region eu-central-1/,
  },
  {
    name: 'AuthorizationHeaderMalformed',
    status: 400,
    more: { Region: 'eu`; rm -rf /' },
    code: 'store-region-wrong',
    says: /; set --region to the bucket's region$/,
  },
  {
    name: 'TemporaryRedirect',
    status: 307,
    more: { $response: { headers: { location: 'https://sign.in.example/?token=t0ken' } } },
    code: 'store-failed',
    says: /it sends on to sign\.in\.example; name the store itself/,
  },
  { name: 'Unknown', status: 302, code: 'store-failed', says: /answered Found \(302\): it sends on; / },
  { name: 'SlowDown', status: 503, code: 'store-throttled', says: /fewer pods/ },
  { name: 'ServiceUnavailable', status: 503, code: 'store-throttled', says: /fewer pods/ },
  { name: 'Whatever', status: 429, code: 'store-throttled', says: /fewer pods/ },
  { name: 'InternalError', status: 500, code: 'store-failed', says: /500/ },
  { name: 'BadGateway', status: 502, code: 'store-failed', says: /502/ },
  { name: 'Unknown', status: 502, code: 'store-failed', says: /answered Bad Gateway \(502\): said so$/ },
  { name: 'Unknown', status: 403, code: 'store-denied', says: /answered Forbidden \(403\) for hub\/k/ },
  {
    name: 'ECONNREFUSED',
    code: 'store-unreachable',
    says: /cannot reach https:\/\/s3\.us-west-004.*network/,
  },
  { name: 'ENOTFOUND', code: 'store-unreachable', says: /check the endpoint/ },
  { name: 'ECONNRESET', code: 'store-unreachable' },
  { name: 'TimeoutError', code: 'store-unreachable' },
  { name: 'CERT_HAS_EXPIRED', code: 'store-unreachable', says: /renew.*clock/ },
  { name: 'DEPTH_ZERO_SELF_SIGNED_CERT', code: 'store-unreachable', says: /AWS_CA_BUNDLE/ },
  { name: 'ERR_TLS_CERT_ALTNAME_INVALID', code: 'store-unreachable', says: /name the store/ },
  { name: 'EPROTO', code: 'store-unreachable', says: /does not seem to speak TLS/ },
  { name: 'HPE_INVALID_CONSTANT', code: 'store-unreachable', says: /does not speak HTTP/ },
  { name: 'NoSuchUpload', status: 404, code: 'object-upload-gone', says: /hub\/k/ },
  { name: 'InvalidPart', status: 400, code: 'object-part-invalid', says: /hub\/k/ },
  { name: 'InvalidPartOrder', status: 400, code: 'object-part-invalid' },
  { name: 'BadDigest', status: 400, code: 'object-digest-differs', says: /hub\/k/ },
  { name: 'InvalidDigest', status: 400, code: 'object-digest-differs' },
  { name: 'XAmzContentSHA256Mismatch', status: 400, code: 'object-digest-differs' },
  { name: 'EntityTooSmall', status: 400, code: 'store-failed', says: /a part of hub\/k.*smaller/ },
  { name: 'NotImplemented', status: 501, code: 'store-unsupported', says: /hub\/k/ },
  { name: 'MethodNotAllowed', status: 405, code: 'store-unsupported' },
  { name: 'Unknown', status: 501, code: 'store-unsupported' },
  { name: 'Unknown', status: 405, code: 'store-unsupported' },
  { name: 'CredentialsProviderError', code: 'store-credentials-missing', says: /AWS_ACCESS_KEY_ID/ },
];

for (const { name, status, more, code, says } of TABLE) {
  test(`${name}${status === undefined ? '' : ` (${status})`} is ${code}${says === undefined ? '' : ', with what to do'}`, () => {
    const error = explainS3Error(faultOf(name, status, more), CONTEXT);
    assert.equal(error.code, code);
    if (says !== undefined) assert.match(explain(error), says);
  });
}

test('what the load or the connection did is worth another try, what is wrong by itself is not', () => {
  const worth = TABLE.filter(({ name, status, more }) =>
    isWorthRetrying(explainS3Error(faultOf(name, status, more), CONTEXT)),
  ).map(({ code }) => code);
  assert.deepEqual([...new Set(worth)].toSorted(), ['store-failed', 'store-throttled', 'store-unreachable']);
});

test('an error of ours stays as it is', () => {
  const ours = new ModelCacheError('store-stalled', 'no byte');
  assert.equal(explainS3Error(ours, CONTEXT), ours);
});

test('nothing of a request that a provider repeats in its answer is told', () => {
  const echo = {
    StringToSign: 'AWS4-HMAC secret-ish',
    AWSAccessKeyId: 'AKIDSECRET',
    SignatureProvided: 'f00',
  };
  for (const { name, status, more } of TABLE) {
    const said = explain(explainS3Error(faultOf(name, status, { ...more, ...echo }), CONTEXT));
    assert.doesNotMatch(said, /secret-ish|AKIDSECRET|f00/);
  }
});

test('a detail that repeats what a request was signed with ends before it, and a long one is cut', () => {
  const saidOf = (message: string): string =>
    explain(explainS3Error(Object.assign(faultOf('Teapot', 418), { message }), CONTEXT));
  for (const echo of [
    'authorization: AWS4-HMAC-SHA256 Credential=AKIDSECRET/2026, Signature=f00d',
    'https://h/k?X-Amz-Credential=AKIDSECRET&X-Amz-Signature=f00d',
    'The AWS Access Key Id AKIDSECRET is not known, f00d',
    'x-amz-security-token AKIDSECRET f00d',
  ]) {
    const said = saidOf(`no tea here ${echo}`);
    assert.match(said, /answered Teapot \(418\): no tea here /);
    assert.doesNotMatch(said, /AKIDSECRET|f00d/);
  }
  assert.ok(saidOf('more '.repeat(100_000)).length < 500);
});

test('a name that is none is not told: what the status is called is', () => {
  for (const name of ['n'.repeat(1000), 'two words', 'a\nline']) {
    const said = explain(explainS3Error(faultOf(name, 418), CONTEXT));
    assert.match(said, /answered I'm a Teapot \(418\): said so$/);
  }
});

test('an answer that the SDK cannot read is told as one that no S3 store gives, without its words for developers', () => {
  const message =
    '@aws-sdk XML parse error: unexpected content. Deserialization error: to see the raw response, inspect $response';
  const fault = Object.assign(faultOf('Error', 200), { message });
  const error = explainS3Error(fault, CONTEXT);
  assert.equal(error.code, 'store-failed');
  assert.match(error.message, /answered what no S3 store does: XML parse error: unexpected content$/);
});

test('nothing where the listing should be is a matter of the endpoint and the bucket, not of an object', () => {
  const { key: _, ...listing } = CONTEXT;
  const error = explainS3Error(faultOf('NotFound', 404), listing);
  assert.equal(error.code, 'store-bucket-missing');
  assert.match(explain(error), /check the endpoint and the bucket/);
});

test('even what is no error at all becomes one of the store', () => {
  for (const thrown of [{}, new Error(''), new TypeError('x is not a function')])
    assert.match(explainS3Error(thrown, CONTEXT).code, /^store-/);
});

function faultOf(name: string, status: number | undefined, more: object = {}): Error {
  const error = Object.assign(new Error('said so'), { name }, more);
  return status === undefined ? error : Object.assign(error, { $metadata: { httpStatusCode: status } });
}
