import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyOnlySdk, type Surroundings } from '../../src/settings/only-sdk.ts';

const AT_HOME = { endpoint: 'http://minio.models.svc:9000', proxies: {}, trustsAnybody: false };
const FAR = { ...AT_HOME, endpoint: 'https://s3.eu.example.com' };
const PROXY = 'http://proxy:3128';

const rows: readonly (readonly [string, Surroundings, string | undefined])[] = [
  ['nothing in the way', AT_HOME, undefined],
  ['a proxy for the scheme', { ...FAR, proxies: { HTTPS_PROXY: PROXY } }, 'HTTPS_PROXY is set'],
  ['a proxy for AWS', { ...FAR, endpoint: undefined, proxies: { HTTPS_PROXY: PROXY } }, 'HTTPS_PROXY is set'],
  ['a proxy for the other scheme', { ...AT_HOME, proxies: { HTTPS_PROXY: PROXY } }, undefined],
  [
    'a host without the proxy',
    { ...FAR, proxies: { HTTPS_PROXY: PROXY, NO_PROXY: 'a, s3.eu.example.com' } },
    undefined,
  ],
  ['a domain without it', { ...FAR, proxies: { HTTPS_PROXY: PROXY, NO_PROXY: '.example.com' } }, undefined],
  ['a domain with a star', { ...FAR, proxies: { HTTPS_PROXY: PROXY, NO_PROXY: '*.Example.com' } }, undefined],
  [
    'a name that only ends alike',
    { ...FAR, proxies: { HTTPS_PROXY: PROXY, NO_PROXY: 'ample.com' } },
    'HTTPS_PROXY is set',
  ],
  ['nobody with the proxy', { ...FAR, proxies: { HTTPS_PROXY: PROXY, NO_PROXY: '*' } }, undefined],
  ['certificates that nobody checks', { ...FAR, trustsAnybody: true }, 'NODE_TLS_REJECT_UNAUTHORIZED is 0'],
  ['no certificates to check', { ...AT_HOME, trustsAnybody: true }, undefined],
];
for (const [name, surroundings, why] of rows)
  test(`the SDK has it all to itself where it must: ${name}`, () =>
    assert.equal(whyOnlySdk(surroundings), why));
