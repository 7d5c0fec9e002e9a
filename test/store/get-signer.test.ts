import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import * as fc from 'fast-check';
import { GetSigner } from '../../src/store/get-signer.ts';
import type { Identity } from '../../src/store/kept-identity.ts';
import { EMPTY_SHA256, NodeSha256 } from '../../src/store/node-sha256.ts';
import { escapedKey } from '../../src/store/s3-address.ts';

const NOW = Date.UTC(2026, 10, 26, 23, 59, 58, 765);
const text = fc.string({
  minLength: 1,
  maxLength: 40,
  unit: fc.constantFrom('a', 'Z', '0', '9', '/', '+', '=', '-', '_'),
});
const tokens = fc.string({ maxLength: 40, unit: fc.constantFrom('a', 'Z', '0', '/', '+', '=', ' ', '\t') });
const identities = fc.record(
  { accessKeyId: text, secretAccessKey: text, sessionToken: tokens },
  { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
);

afterEach(() => mock.timers.reset());

test("the headers are the ones that the SDK's signer makes, whatever the key, the place and the hour", async () => {
  mock.timers.enable({ apis: ['Date'], now: NOW });
  await fc.assert(
    fc.asyncProperty(
      identities,
      fc.constantFrom('us-east-1', 'auto', 'eu-central-003'),
      fc.constantFrom('bucket.s3.amazonaws.com', '127.0.0.1:9000', 'xn--bcher-kva.example'),
      fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }),
      fc.nat(10_000_000),
      async (identity, region, host, keys, later) => {
        mock.timers.setTime(NOW + later);
        const signer = signerOf(identity, region, host);
        for (const key of keys) {
          const path = `/${escapedKey(key.toWellFormed())}`;
          assert.deepEqual(await headersBy(signer, path), await bySdk(identity, region, host, path));
        }
      },
    ),
  );
});

test('another second and another identity make another signature', async () => {
  mock.timers.enable({ apis: ['Date'], now: NOW });
  const first: Identity = { accessKeyId: 'A', secretAccessKey: 's' };
  const second: Identity = { accessKeyId: 'B', secretAccessKey: 't', sessionToken: 'u' };
  let identity = first;
  const signer = new GetSigner('host', 'auto', {
    source: 'the test',
    identity,
    provider: () => Promise.resolve(identity),
  });
  const seen = [await headersBy(signer, '/k')];
  mock.timers.tick(100);
  assert.deepEqual(await headersBy(signer, '/k'), seen[0]);
  mock.timers.tick(2000);
  seen.push(await headersBy(signer, '/k'));
  identity = second;
  seen.push(await headersBy(signer, '/k'));
  assert.equal(new Set(seen.map((headers) => headers['authorization'])).size, 3);
  assert.deepEqual(seen[2], await bySdk(second, 'auto', 'host', '/k'));
});

async function headersBy(signer: GetSigner, path: string): Promise<Readonly<Record<string, string>>> {
  const { headers, signedBy, signature } = await signer.now();
  return { ...headers, authorization: `${signedBy}${signature(path)}` };
}

function signerOf(identity: Identity, region: string, host: string): GetSigner {
  return new GetSigner(host, region, {
    source: 'the test',
    identity,
    provider: () => Promise.resolve(identity),
  });
}

async function bySdk(
  identity: Identity,
  region: string,
  host: string,
  path: string,
): Promise<Readonly<Record<string, string>>> {
  const signature = new SignatureV4({
    service: 's3',
    region,
    credentials: identity,
    sha256: NodeSha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const { headers } = await signature.sign({
    method: 'GET',
    protocol: 'http:',
    hostname: 'unused',
    path,
    query: {},
    headers: { host, 'x-amz-content-sha256': EMPTY_SHA256 },
  });
  return headers;
}
