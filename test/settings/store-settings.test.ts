import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../src/errors.ts';
import type { Environment, Flags } from '../../src/settings/raw.ts';
import { resolveSettings, type Settings } from '../../src/settings/settings.ts';
import type { S3Settings } from '../../src/store/s3-access.ts';

test('an endpoint that ends in the bucket is told: its objects would be looked for below a folder of that name', () => {
  const { store, storeProblem } = resolve({
    S3_BUCKET: 'b-1',
    MODEL_CACHE_ENDPOINT_URL: 'https://x.example/b-1',
  });
  assert.equal(store, undefined);
  assert.match(storeProblem?.message ?? '', /names the bucket/);
  assert.deepEqual(
    [storeProblem?.wanted, storeProblem?.found],
    ['https://x.example', 'https://x.example/b-1'],
  );
});

test('a host may be called as the bucket is', () => {
  const { storeProblem } = resolve({ S3_BUCKET: 'minio', MODEL_CACHE_ENDPOINT_URL: 'http://minio' });
  assert.equal(storeProblem, undefined);
});

test('S3_BUCKET is the bare name of a bucket', () => {
  const { store, storeProblem } = resolve({ S3_BUCKET: 's3://my-bucket' });
  assert.equal(store, undefined);
  assert.match(storeProblem?.message ?? '', /S3_BUCKET: no bucket has such a name/);
});

test('S3_BUCKET alone names the store', () => {
  const { bucket, prefix } = s3Of({ S3_BUCKET: 'my-bucket' });
  assert.deepEqual([bucket, prefix], ['my-bucket', 'models']);
});

test('without any name there is no store, which is no problem of the settings', () => {
  const { store, storeIsOff, problems } = resolve({});
  assert.deepEqual([store, storeIsOff, problems.length], [undefined, false, 0]);
});

for (const [env, isOff] of [
  [{ MODEL_CACHE_ENABLED: 'false' }, true],
  [{ MODEL_CACHE_ENABLED: '0' }, true],
  [{ MODEL_CACHE_ENABLED: 'off' }, true],
  [{ ENABLE_S3_MODEL_CACHE: 'false' }, true],
  [{ ENABLE_S3_MODEL_CACHE: 'False' }, true],
  [{ MODEL_CACHE_ENABLED: '', ENABLE_S3_MODEL_CACHE: 'false' }, true],
  [{ MODEL_CACHE_ENABLED: 'true', ENABLE_S3_MODEL_CACHE: 'false' }, false],
  [{ MODEL_CACHE_ENABLED: 'true' }, false],
  [{ MODEL_CACHE_ENABLED: '' }, false],
  [{}, false],
] as const) {
  test(`${JSON.stringify(env)} turns the store ${isOff ? 'off' : 'on'}`, () => {
    const { store, storeIsOff } = resolve({ ...env, S3_BUCKET: 'bucket' });
    assert.equal(storeIsOff, isOff);
    assert.equal(store === undefined, isOff);
  });
}

test('a MODEL_CACHE_ENABLED that is neither yes nor no is a problem, and the store stays on', () => {
  const { storeIsOff, problems } = resolve({ MODEL_CACHE_ENABLED: 'perhaps' });
  assert.equal(storeIsOff, false);
  assert.match(explain(problems[0]), /MODEL_CACHE_ENABLED/);
});

for (const [env, region] of [
  [{ AWS_ENDPOINT_URL: 's3.us-west-004.backblazeb2.com' }, 'us-west-004'],
  [{ AWS_ENDPOINT_URL: 'https://x.r2.cloudflarestorage.com' }, 'auto'],
  [
    { AWS_ENDPOINT_URL: 'https://s3.us-west-004.backblazeb2.com', AWS_DEFAULT_REGION: 'eu-west-1' },
    'eu-west-1',
  ],
  [{ AWS_DEFAULT_REGION: 'eu-west-1', AWS_REGION: 'eu-west-2' }, 'eu-west-2'],
  [{ AWS_REGION: 'eu-west-2', MODEL_CACHE_REGION: 'eu-west-3' }, 'eu-west-3'],
  [{ AWS_REGION: '', AWS_ENDPOINT_URL: 'http://127.0.0.1:9000' }, 'us-east-1'],
] as const) {
  test(`${JSON.stringify(env)}: region ${region}`, () => {
    assert.equal(s3Of({ ...env, S3_BUCKET: 'bucket' }).region, region);
  });
}

test('keys of our own come before those of AWS, and a session token only with its own key', () => {
  const aws = {
    AWS_ACCESS_KEY_ID: 'AWSKEY',
    AWS_SECRET_ACCESS_KEY: 'awssecret',
    AWS_SESSION_TOKEN: 'awstoken',
  };
  const own = { MODEL_CACHE_ACCESS_KEY_ID: 'OWNKEY', MODEL_CACHE_SECRET_ACCESS_KEY: 'ownsecret' };
  const both = s3Of({ S3_BUCKET: 'bucket', ...aws, ...own }).credentials.keys;
  assert.deepEqual(
    [both?.accessKeyId, both?.secretAccessKey, both?.sessionToken],
    ['OWNKEY', 'ownsecret', undefined],
  );
  const onlyAws = s3Of({ S3_BUCKET: 'bucket', ...aws }).credentials.keys;
  assert.deepEqual([onlyAws?.accessKeyId, onlyAws?.sessionToken], ['AWSKEY', 'awstoken']);
  assert.equal(s3Of({ S3_BUCKET: 'bucket' }).credentials.keys, undefined);
});

test('keys with spaces or a line end around them are taken without', () => {
  const env = { S3_BUCKET: 'bucket', AWS_ACCESS_KEY_ID: ' KEY\n', AWS_SECRET_ACCESS_KEY: 'secret\n' };
  const { keys } = s3Of(env).credentials;
  assert.deepEqual([keys?.accessKeyId, keys?.secretAccessKey], ['KEY', 'secret']);
});

test('web identity and container are asked only when their variables are set', () => {
  const none = s3Of({ S3_BUCKET: 'bucket', AWS_ROLE_ARN: 'arn' }).credentials;
  assert.deepEqual([none.webIdentity, none.container, none.imds], [false, false, false]);
  const web = { AWS_ROLE_ARN: 'arn', AWS_WEB_IDENTITY_TOKEN_FILE: '/t' };
  assert.equal(s3Of({ S3_BUCKET: 'bucket', ...web }).credentials.webIdentity, true);
  const container = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/x' };
  assert.equal(s3Of({ S3_BUCKET: 'bucket', ...container }).credentials.container, true);
});

test('the region of the store is not that of the token service', () => {
  const env = { S3_BUCKET: 'bucket', MODEL_CACHE_REGION: 'us-west-004', AWS_REGION: 'eu-west-1' };
  assert.equal(s3Of(env).credentials.stsRegion, 'eu-west-1');
});

test('AWS_CA_BUNDLE and --stall reach the store', () => {
  const store = s3Of({ S3_BUCKET: 'bucket', AWS_CA_BUNDLE: '/ca.pem' }, { stall: '7s' });
  assert.deepEqual([store.caBundle, store.idleTimeout], ['/ca.pem', 7000]);
});

for (const [name, value] of [
  ['MODEL_CACHE_STORE', 's3://AKID:hush@bucket/x'],
  ['MODEL_CACHE_STORE', 's3://AKID:wJal/hush/KEY@bucket/x'],
  ['MODEL_CACHE_STORE', 's3://hush:wJalrXUtnFEMI/K7MDENG'],
  ['MODEL_CACHE_STORE', 'wJalrXUtnFEMI/K7MDENG/hush'],
  ['MODEL_CACHE_STORE', 'https://b.s3.amazonaws.com/x?X-Amz-Signature=hush'],
  ['MODEL_CACHE_ENDPOINT_URL', 'https://AKID:hush@host:9000'],
  ['MODEL_CACHE_ENDPOINT_URL', 'AKID:hush@host:9000'],
  ['MODEL_CACHE_ENDPOINT_URL', 'https://AKID:wJal/hush@host:9000'],
  ['AWS_ENDPOINT_URL', 'https://AKID:hush@host:9000'],
  ['S3_BUCKET', 'AKID:hush@bucket'],
  ['S3_BUCKET', 'wJalrXUtnFEMI/K7MDENG/hush'],
  ['MODEL_CACHE_SECRET_ACCESKEY', 'hush'],
] as const) {
  test(`no problem with ${name} repeats a secret: ${value.replace('hush', '...')}`, () => {
    const { problems, storeProblem } = resolve({ S3_BUCKET: 'bucket', [name]: value });
    const told = [...problems, ...(storeProblem === undefined ? [] : [storeProblem])];
    assert.equal(told.length, 1);
    for (const problem of told) assert.doesNotMatch(explain(problem), /hush/);
  });
}

for (const [name, value] of [
  ['MODEL_CACHE_STORE', 'garbage'],
  ['MODEL_CACHE_ENDPOINT_URL', 'htp://minio:9000'],
  ['AWS_ENDPOINT_URL', 'htp://minio:9000'],
  ['S3_BUCKET', 'a b'],
] as const) {
  test(`${name}=${value}: no store, never another one, and one reason`, () => {
    const { store, storeProblem, problems } = resolve({ S3_BUCKET: 'bucket', [name]: value });
    assert.equal(store, undefined);
    assert.deepEqual(problems, []);
    const said = explain(storeProblem);
    assert.match(said, new RegExp(`^${name}: .*wanted .*found`));
    assert.doesNotMatch(said, /default/);
  });
}

function resolve(env: Environment, flags: Flags = {}): Settings {
  return resolveSettings(flags, env, true);
}

function s3Of(env: Environment, flags: Flags = {}): S3Settings {
  const { store } = resolve(env, flags);
  assert.ok(store?.kind === 's3');
  return store;
}
