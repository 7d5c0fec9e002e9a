import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as assertProperty, property, string } from 'fast-check';
import { escaped, escapedKey, s3Address } from '../../src/store/s3-address.ts';

interface Row {
  readonly bucket?: string;
  readonly region?: string;
  readonly endpoint?: string;
  /** `host:port`, TLS or not, the Host header, what comes before a key; undefined: the SDK is to know. */
  readonly address?: readonly [string, boolean, string, string];
}

const AWS = 'bucket.s3.eu-central-1.amazonaws.com';

describe('where a bucket is', () => {
  const rows: readonly Row[] = [
    { address: [`${AWS}:443`, true, AWS, '/'] },
    {
      region: 'us-gov-west-1',
      address: [
        'bucket.s3.us-gov-west-1.amazonaws.com:443',
        true,
        'bucket.s3.us-gov-west-1.amazonaws.com',
        '/',
      ],
    },
    { region: 'cn-north-1' },
    { region: 'us-iso-east-1' },
    { region: 'auto' },
    { bucket: 'with.dots' },
    { bucket: 'Capitals' },
    { bucket: 'arn:aws:s3:eu-central-1:1:accesspoint/x' },
    { endpoint: `https://s3.eu-central-1.amazonaws.com`, address: [`${AWS}:443`, true, AWS, '/'] },
    { endpoint: `https://s3.eu-central-1.amazonaws.com`, bucket: 'with.dots' },
    { endpoint: 'http://minio:9000', address: ['minio:9000', false, 'minio:9000', '/bucket/'] },
    {
      endpoint: 'http://minio:9000',
      bucket: 'with.dots',
      address: ['minio:9000', false, 'minio:9000', '/with.dots/'],
    },
    { endpoint: 'http://minio', address: ['minio:80', false, 'minio', '/bucket/'] },
    { endpoint: 'http://minio:80', address: ['minio:80', false, 'minio', '/bucket/'] },
    {
      endpoint: 'https://s3.example.com',
      address: ['s3.example.com:443', true, 's3.example.com', '/bucket/'],
    },
    {
      endpoint: 'https://s3.example.com:8443',
      address: ['s3.example.com:8443', true, 's3.example.com:8443', '/bucket/'],
    },
    { endpoint: 'http://[::1]:9000', address: ['::1:9000', false, '[::1]:9000', '/bucket/'] },
    { endpoint: 'http://minio:9000/below' },
    { endpoint: 'http://minio:9000/?a=b' },
    { endpoint: 'http://user@minio:9000' },
    { endpoint: 'ftp://minio' },
    { endpoint: 'no address' },
  ];
  for (const { bucket = 'bucket', region = 'eu-central-1', endpoint, address } of rows)
    test(`${bucket} in ${region} at ${endpoint ?? 'AWS'}${address === undefined ? ' is for the SDK to find out' : ''}`, () => {
      const found = s3Address(bucket, region, endpoint);
      const told = found && [
        `${found.endpoint.host}:${found.endpoint.port}`,
        found.endpoint.isTls,
        found.hostHeader,
        found.base,
      ];
      assert.deepEqual(told, address);
    });
});

test('a key in a path has only unreserved characters, and slashes', () => {
  assert.equal(escapedKey("a b/ü!'()*~+%2F?#"), 'a%20b/%C3%BC%21%27%28%29%2A~%2B%252F%3F%23');
  assert.equal(escaped('a/b'), 'a%2Fb');
  assertProperty(
    property(string({ unit: 'grapheme' }), (key) => {
      assert.match(escapedKey(key), /^[A-Za-z0-9\-._~%/]*$/);
      assert.equal(decodeURIComponent(escapedKey(key)), key);
    }),
    { seed: 5, numRuns: 200 },
  );
});
