import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inheritedBy } from '../../src/handover/server-environment.ts';
import { resolveSettings } from '../../src/settings/settings.ts';
import type { Environment } from '../../src/settings/raw.ts';

const OWN = {
  MODEL_CACHE_ACCESS_KEY_ID: 'own',
  MODEL_CACHE_SECRET_ACCESS_KEY: 'own-secret',
  MODEL_CACHE_SESSION_TOKEN: 'own-token',
};
const AWS = { AWS_ACCESS_KEY_ID: 'aws', AWS_SECRET_ACCESS_KEY: 'aws-secret', AWS_SESSION_TOKEN: 'aws-token' };
const CONTAINER = {
  AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
  AWS_CONTAINER_AUTHORIZATION_TOKEN: 'container-token',
};
const OTHERS = { PATH: '/bin', HF_TOKEN: 'hf_x', AWS_REGION: 'eu-west-1', AWS_PROFILE: 'p', EMPTY: '' };
const S3 = { MODEL_CACHE_STORE: 's3://bucket/models' };

const rows: readonly (readonly [name: string, env: Environment, dropped: readonly string[]])[] = [
  ["the store's own keys go, and AWS keys are the server's", { ...S3, ...OWN, ...AWS }, Object.keys(OWN)],
  ['AWS keys go when they are those of the store', { ...S3, ...AWS }, Object.keys(AWS)],
  [
    'and when they are there under both names',
    { ...S3, ...AWS, MODEL_CACHE_ACCESS_KEY_ID: 'aws', MODEL_CACHE_SECRET_ACCESS_KEY: 'aws-secret\r' },
    ['MODEL_CACHE_ACCESS_KEY_ID', 'MODEL_CACHE_SECRET_ACCESS_KEY', ...Object.keys(AWS)],
  ],
  [
    'half a pair of own keys is none: the store has the AWS keys',
    { ...S3, MODEL_CACHE_ACCESS_KEY_ID: 'own', MODEL_CACHE_SECRET_ACCESS_KEY: ' ', ...AWS },
    ['MODEL_CACHE_ACCESS_KEY_ID', 'MODEL_CACHE_SECRET_ACCESS_KEY', ...Object.keys(AWS)],
  ],
  [
    "the container's token goes when the store has no keys and asks the container",
    { ...S3, ...CONTAINER },
    ['AWS_CONTAINER_AUTHORIZATION_TOKEN'],
  ],
  [
    "the container's token is the server's when the store has keys",
    { ...S3, ...OWN, ...CONTAINER },
    Object.keys(OWN),
  ],
  ['and when the store has AWS keys', { ...S3, ...AWS, ...CONTAINER }, Object.keys(AWS)],
  ['a public bucket has none of them', { ...S3, ...AWS, MODEL_CACHE_NO_SIGN_REQUEST: 'true' }, []],
  ['a folder has none of them', { MODEL_CACHE_STORE: 'file:///bucket', ...AWS, ...OWN }, Object.keys(OWN)],
  ['without a store, AWS keys are the server’s', AWS, []],
  [
    'a store that is named wrong had these keys',
    { MODEL_CACHE_STORE: 's3:/bucket', ...AWS },
    Object.keys(AWS),
  ],
  ['and so had one that is turned off', { ...S3, ...AWS, MODEL_CACHE_ENABLED: 'false' }, Object.keys(AWS)],
];
for (const [name, given, dropped] of rows) {
  test(`--drop-credentials: ${name}`, () => {
    const env = { ...OTHERS, ...given };
    const settings = resolveSettings({ dropCredentials: true }, env, true);
    const left = Object.entries(env).filter(([variable]) => !dropped.includes(variable));
    assert.deepEqual(inheritedBy(settings, env), Object.fromEntries(left));
  });
}

test('without --drop-credentials the server inherits everything', () => {
  const env = { ...OTHERS, ...S3, ...OWN, ...AWS, ...CONTAINER };
  assert.equal(inheritedBy(resolveSettings({}, env, true), env), env);
});
