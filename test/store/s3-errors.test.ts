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
  { name: 'SlowDown', status: 503, code: 'store-throttled' },
  { name: 'ServiceUnavailable', status: 503, code: 'store-throttled' },
  { name: 'Whatever', status: 429, code: 'store-throttled' },
  { name: 'InternalError', status: 500, code: 'store-failed', says: /500/ },
  { name: 'BadGateway', status: 502, code: 'store-failed', says: /502/ },
  {
    name: 'ECONNREFUSED',
    code: 'store-unreachable',
    says: /cannot reach https:\/\/s3\.us-west-004.*network/,
  },
  { name: 'ENOTFOUND', code: 'store-unreachable', says: /check the endpoint/ },
  { name: 'ECONNRESET', code: 'store-unreachable' },
  { name: 'TimeoutError', code: 'store-unreachable' },
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

test('even what is no error at all becomes one of the store', () => {
  for (const thrown of [{}, new Error(''), new TypeError('x is not a function')])
    assert.match(explainS3Error(thrown, CONTEXT).code, /^store-/);
});

function faultOf(name: string, status: number | undefined, more: object = {}): Error {
  const error = Object.assign(new Error('said so'), { name }, more);
  return status === undefined ? error : Object.assign(error, { $metadata: { httpStatusCode: status } });
}
