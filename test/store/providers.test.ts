import assert from 'node:assert/strict';
import { test } from 'node:test';
import { providerOf } from '../../src/store/providers.ts';

/** Endpoint, the region its name carries, whether it is AWS. Everything but AWS takes the bucket in the path. */
const TABLE: readonly (readonly [string | undefined, string | undefined, boolean])[] = [
  [undefined, undefined, true],
  ['https://s3.eu-west-1.amazonaws.com', 'eu-west-1', true],
  ['https://s3-eu-west-1.amazonaws.com', 'eu-west-1', true],
  ['https://s3.dualstack.eu-west-1.amazonaws.com', 'eu-west-1', true],
  ['https://s3.cn-north-1.amazonaws.com.cn', 'cn-north-1', true],
  ['https://s3.amazonaws.com', undefined, true],
  ['https://s3-accelerate.amazonaws.com', undefined, true],
  ['https://s3.us-west-004.backblazeb2.com', 'us-west-004', false],
  ['https://s3.us-west-004.backblazeb2.com:443/', 'us-west-004', false],
  ['https://0123abcd.r2.cloudflarestorage.com', 'auto', false],
  ['https://0123abcd.eu.r2.cloudflarestorage.com', 'auto', false],
  ['https://s3api-eu-ro-1.runpod.io', 'eu-ro-1', false],
  ['https://s3.eu-central-1.wasabisys.com', 'eu-central-1', false],
  ['https://s3.wasabisys.com', undefined, false],
  ['https://fra1.digitaloceanspaces.com', 'fra1', false],
  ['https://s3.fr-par.scw.cloud', 'fr-par', false],
  ['http://127.0.0.1:9000', undefined, false],
  ['http://minio.storage.svc:9000', undefined, false],
  ['https://s3.us-west-004.backblazeb2.com.example.org', undefined, false],
  ['https://not-amazonaws.com', undefined, false],
];

for (const [endpoint, region, isAws] of TABLE) {
  test(`${endpoint ?? 'no endpoint'}: ${isAws ? 'AWS' : 'not AWS'}, region ${region ?? 'not told'}`, () => {
    assert.deepEqual(providerOf(endpoint), { region, forcePathStyle: !isAws });
  });
}
