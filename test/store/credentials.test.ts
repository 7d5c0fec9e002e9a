import assert from 'node:assert/strict';
import dns from 'node:dns';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, mock, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import { resolveCredentials, type CredentialSettings } from '../../src/store/credentials.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { listed, soon } from './bodies.ts';
import { withServer, type Script } from './scripted-s3.ts';
import { NO_CREDENTIALS, s3Settings, staticKeys } from './s3-settings.ts';

const scratch = await mkdtemp(join(tmpdir(), 'credentials-'));
const before = { ...process.env };
/** Hosts that somebody wanted to reach by name; none is reached. */
const namesAsked: string[] = [];

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  process.env['AWS_CONFIG_FILE'] = join(scratch, 'no-config');
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = join(scratch, 'no-credentials');
  namesAsked.length = 0;
  const lookup = dns.lookup as (host: string, ...rest: unknown[]) => void;
  mock.method(dns, 'lookup', (host: string, ...rest: unknown[]) => {
    if (isIP(host) !== 0) return lookup(host, ...rest);
    namesAsked.push(host);
    const done = rest.at(-1) as (error: Error) => void;
    done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }));
  });
});
afterEach(() => {
  mock.restoreAll();
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, before);
});
after(() => rm(scratch, { recursive: true }));

test('keys come before a profile, and nobody else is asked', async () => {
  await useProfile('PROFILEKEY');
  const settings = { ...staticKeys('GIVENKEY', 'secret'), profile: 'other', webIdentity: true, imds: true };
  const found = await resolveCredentials(settings);
  assert.equal(found?.identity.accessKeyId, 'GIVENKEY');
  assert.deepEqual(namesAsked, []);
});

test('a profile comes before a web identity and the container', async () => {
  await useProfile('PROFILEKEY');
  await useWebIdentity();
  await withServer(containerKeys, async ({ endpoint, seen }) => {
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${endpoint}/keys`;
    const found = await resolveCredentials({ ...NO_CREDENTIALS, webIdentity: true, container: true });
    assert.equal(found?.identity.accessKeyId, 'PROFILEKEY');
    assert.equal(seen.length, 0);
  });
  assert.deepEqual(namesAsked, []);
});

test('the profile that is named is the one that is read', async () => {
  await useProfile('DEFAULTKEY', '[other]\naws_access_key_id = OTHERKEY\naws_secret_access_key = s\n');
  const found = await resolveCredentials({ ...NO_CREDENTIALS, profile: 'other' });
  assert.equal(found?.identity.accessKeyId, 'OTHERKEY');
  assert.match(found.source, /other/);
});

test('a credential process is run', async () => {
  const config = join(scratch, 'config-process');
  const keys = { Version: 1, AccessKeyId: 'PROCESSKEY', SecretAccessKey: 'secret' };
  await writeFile(config, `[default]\ncredential_process = echo '${JSON.stringify(keys)}'\n`);
  process.env['AWS_CONFIG_FILE'] = config;
  assert.equal((await resolveCredentials(NO_CREDENTIALS))?.identity.accessKeyId, 'PROCESSKEY');
});

test('a source that does not answer is given up', async () => {
  const config = join(scratch, 'config-hanging');
  await writeFile(config, '[default]\ncredential_process = exec sleep 5\n');
  process.env['AWS_CONFIG_FILE'] = config;
  await assert.rejects(soon(resolveCredentials(NO_CREDENTIALS, 200)), {
    code: 'store-credentials-missing',
    message: 'the profile default did not answer within 0.2 s',
  });
});

test('a container that takes the connection and says nothing is given up', async () => {
  await withServer(
    () => undefined,
    async ({ endpoint }) => {
      process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${endpoint}/keys`;
      await assert.rejects(soon(resolveCredentials({ ...NO_CREDENTIALS, container: true })), {
        code: 'store-credentials-missing',
        message: /^the container did not answer/,
      });
    },
  );
});

test('the container is asked when its variable is set', async () => {
  await withServer(containerKeys, async ({ endpoint, seen }) => {
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${endpoint}/keys`;
    const found = await resolveCredentials({ ...NO_CREDENTIALS, container: true });
    assert.equal(found?.identity.accessKeyId, 'CONTAINERKEY');
    assert.equal(seen[0]?.url, '/keys');
  });
});

test('a container is asked once, however many requests are signed', async () => {
  await withServer(containerKeys, async (container) => {
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${container.endpoint}/keys`;
    await withServer(refuseAll, async ({ endpoint, seen }) => {
      const store = await S3Store.open(
        s3Settings({ endpoint, credentials: { ...NO_CREDENTIALS, container: true } }),
      );
      for (let index = 0; index < 20; index += 1) await store.get(`k${index}`).catch(() => undefined);
      await listed(store, '').catch(() => undefined);
      store.close();
      assert.ok(seen.length > 20);
      assert.ok(seen.every(({ headers }) => headers.authorization?.includes('CONTAINERKEY')));
    });
    assert.equal(container.seen.length, 1);
  });
});

test('an identity that has expired, and a source that gives no other, is an error of the store', async () => {
  const expired = keysUntil(new Date(Date.now() - 1000).toISOString());
  const script: Script = (request, response, count) =>
    (count === 1 ? expired : refuseAll)(request, response, count);
  await withServer(script, async ({ endpoint }) => {
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${endpoint}/keys`;
    const store = await S3Store.open(openSettings({ ...NO_CREDENTIALS, container: true }));
    await assert.rejects(store.get('key'), { code: 'store-credentials-missing' });
    await assert.rejects(listed(store, ''), { code: 'store-credentials-missing' });
    store.close();
  });
});

test('the source is told, and never a secret', async () => {
  await useProfile('PROFILEKEY');
  for (const settings of [staticKeys('KEY', 'hush'), NO_CREDENTIALS]) {
    const { source = '' } = (await resolveCredentials(settings)) ?? {};
    assert.notEqual(source, '');
    assert.doesNotMatch(source, /hush|PROFILEKEY|^KEY$/);
  }
});

test('a web identity token goes to AWS only, whatever endpoint the variables name', async () => {
  await useWebIdentity();
  await withServer(refuseAll, async ({ endpoint, seen }) => {
    process.env['AWS_ENDPOINT_URL'] = endpoint;
    process.env['AWS_ENDPOINT_URL_STS'] = endpoint;
    const settings = { ...NO_CREDENTIALS, webIdentity: true, stsRegion: 'eu-west-1' };
    await resolveCredentials(settings).catch(() => undefined);
    assert.equal(seen.length, 0);
  });
  assert.deepEqual([...new Set(namesAsked)], ['sts.eu-west-1.amazonaws.com']);
});

for (const [where, endpointIn] of [
  ['the variables', 'variable'],
  ["the profile's own endpoint_url", 'config'],
] as const) {
  test(`a web identity of a profile goes to AWS only, whatever endpoint ${where} name`, async () => {
    await withServer(refuseAll, async ({ endpoint, seen }) => {
      await useWebIdentityProfile(endpointIn === 'config' ? `endpoint_url = ${endpoint}\n` : '');
      if (endpointIn === 'variable') process.env['AWS_ENDPOINT_URL'] = endpoint;
      await resolveCredentials(NO_CREDENTIALS).catch(() => undefined);
      assert.equal(seen.length, 0, 'the token was sent to the endpoint of the store');
    });
    assert.ok(
      namesAsked.every((host) => /^sts\..*amazonaws\.com$/.test(host)),
      namesAsked.join(' '),
    );
  });
}

test('a web identity is not used when its variables are not set', async () => {
  assert.equal(await resolveCredentials(NO_CREDENTIALS), undefined);
  assert.deepEqual(namesAsked, []);
});

test('no source has any: store-credentials-missing, with the variables to set', async () => {
  await assert.rejects(soon(S3Store.open(openSettings(NO_CREDENTIALS))), {
    code: 'store-credentials-missing',
    hint: /AWS_ACCESS_KEY_ID.*MODEL_CACHE_ACCESS_KEY_ID.*--no-sign-request/,
  });
});

test('instance metadata that does not answer is a source that has none', async () => {
  await withServer(
    () => undefined,
    async ({ endpoint }) => {
      process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = endpoint;
      await assertStoreError({ ...NO_CREDENTIALS, imds: true }, 5000);
    },
  );
});

test('AWS that cannot be reached for a web identity is an error of the store, not a bug of ours', async () => {
  await useWebIdentity();
  await assertStoreError({ ...NO_CREDENTIALS, webIdentity: true });
});

test('a web identity whose token file is gone is an error of the store, not of the disk', async () => {
  await useWebIdentity();
  process.env['AWS_WEB_IDENTITY_TOKEN_FILE'] = join(scratch, 'gone');
  await assertStoreError({ ...NO_CREDENTIALS, webIdentity: true });
});

test('container credentials that are refused are an error of the store, not a bug of ours', async () => {
  await withServer(refuseAll, async ({ endpoint }) => {
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `${endpoint}/keys`;
    await assertStoreError({ ...NO_CREDENTIALS, container: true });
  });
});

test('a CA bundle that is not there is an error of the store or of a setting, and names it', async () => {
  const settings = s3Settings({ endpoint: 'https://127.0.0.1:9', caBundle: join(scratch, 'no-bundle.pem') });
  await assert.rejects(S3Store.open(settings), {
    name: 'ModelCacheError',
    code: /^(store-|setting-)/,
    message: /no-bundle\.pem/,
  });
});

const ROLE = 'arn:aws:iam::123456789012:role/reader';

function openSettings(credentials: CredentialSettings): ReturnType<typeof s3Settings> {
  return s3Settings({ endpoint: 'http://127.0.0.1:9', credentials });
}

async function assertStoreError(credentials: CredentialSettings, within = 20_000): Promise<void> {
  await assert.rejects(soon(S3Store.open(openSettings(credentials)), within), (error) => {
    assert.ok(error instanceof ModelCacheError, `a bare ${String(error)}`);
    assert.match(error.code, /^store-/);
    return true;
  });
}

async function useProfile(accessKeyId: string, more = ''): Promise<void> {
  const file = join(scratch, `credentials-${accessKeyId}-${more.length}`);
  await writeFile(
    file,
    `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = hush\n${more}`,
  );
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = file;
}

async function useWebIdentity(): Promise<void> {
  const file = join(scratch, 'web-identity-token');
  await writeFile(file, 'a.web.token');
  process.env['AWS_WEB_IDENTITY_TOKEN_FILE'] = file;
  process.env['AWS_ROLE_ARN'] = ROLE;
}

async function useWebIdentityProfile(more: string): Promise<void> {
  const token = join(scratch, 'profile-token');
  const config = join(scratch, `config-web-${more.length}`);
  await writeFile(token, 'a.web.token');
  await writeFile(config, `[default]\nrole_arn = ${ROLE}\nweb_identity_token_file = ${token}\n${more}`);
  process.env['AWS_CONFIG_FILE'] = config;
}

const refuseAll: Script = (_, response) => response.writeHead(403).end();

const containerKeys = keysUntil('2099-01-01T00:00:00Z');

function keysUntil(Expiration: string): Script {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ AccessKeyId: 'CONTAINERKEY', SecretAccessKey: 's', Token: 't', Expiration }),
    );
  };
}
