import assert from 'node:assert/strict';
import { after, before, describe, mock, test, type TestContext } from 'node:test';
import { s3Address } from '../../src/store/s3-address.ts';
import { requestText, S3Signer } from '../../src/store/s3-signer.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { getText } from '../../src/wire/get-text.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import { contentOf, listed } from './bodies.ts';
import { s3Settings, staticKeys } from './s3-settings.ts';

/** Of the examples that AWS documents: "Signature Calculations for the Authorization Header". */
const EXAMPLE = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  now: Date.UTC(2013, 4, 24),
};

describe('signatures are those that AWS documents', () => {
  const rows = [
    {
      name: 'for an object',
      request: { method: 'GET', key: 'test.txt', signedHeaders: { range: 'bytes=0-9' } },
      target: '/test.txt',
      signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    },
    {
      name: 'for a listing',
      request: { method: 'GET', key: '', query: { 'max-keys': '2', prefix: 'J' } },
      target: '/?max-keys=2&prefix=J',
      signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    },
    {
      name: 'for a query without a value',
      request: { method: 'GET', key: '', query: { lifecycle: '' } },
      target: '/?lifecycle=',
      signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    },
  ] as const;
  for (const { name, request, target, signature } of rows)
    test(name, async (context) => {
      const { signer } = exampleSigner(context);
      const signed = await signer.request(request);
      assert.equal(signed.target, target);
      assert.equal(signed.headers['authorization']?.split('Signature=')[1], signature);
      assert.equal(signed.headers['x-amz-date'], '20130524T000000Z');
    });
});

test('a GET of an object says who signed what, whatever range is asked for', async (context) => {
  const { signer } = exampleSigner(context);
  const authorizationOf = async (headers: Record<string, string>): Promise<string | undefined> =>
    (await signer.request({ method: 'GET', key: 'test.txt', headers })).headers['authorization'];
  const whole = await authorizationOf({});
  assert.match(
    whole ?? '',
    /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/20130524\/us-east-1\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
  );
  assert.equal(await authorizationOf({ range: 'bytes=0-9' }), whole);
});

test('a request is sent with its headers, and nothing after the empty line', async (context) => {
  const { signer } = exampleSigner(context);
  const text = requestText(
    await signer.request({ method: 'GET', key: 'a b', headers: { range: 'bytes=0-9' } }),
  );
  const [first, ...lines] = text.split('\r\n');
  assert.equal(first, 'GET /a%20b HTTP/1.1');
  assert.ok(lines.includes('host: examplebucket.s3.amazonaws.com'));
  assert.ok(lines.includes('range: bytes=0-9'));
  assert.deepEqual(lines.slice(-2), ['', '']);
});

test('requests for objects that are sent soon are those that are made one by one, signed or not', async (context) => {
  const anonymous = new S3Signer(addressOfExample(), 'us-east-1', 'anonymous');
  const { signer } = exampleSigner(context);
  for (const by of [signer, anonymous]) {
    const { common, own } = await by.gets();
    for (const key of ['plain/key-1.bin', 'a b', 'ä/(1)*', "it's~.+"]) {
      const headers = { range: 'bytes=0-9', 'if-match': '"e"' };
      const one = requestText(await by.request({ method: 'GET', key, headers }));
      const behind = 'range: bytes=0-9\r\nif-match: "e"\r\n';
      const [first, ...lines] = getText(common, own(key), behind).split('\r\n');
      const [wantedFirst, ...wanted] = one.split('\r\n');
      assert.equal(first, wantedFirst);
      assert.deepEqual(lines.toSorted(), wanted.toSorted());
      assert.deepEqual(lines.slice(-2), ['', '']);
    }
  }
});

test('without credentials nothing is signed', async () => {
  const signer = new S3Signer(addressOfExample(), 'us-east-1', 'anonymous');
  const { headers } = await signer.request({ method: 'GET', key: 'k' });
  assert.equal(headers['authorization'], undefined);
  assert.equal(headers['host'], 'examplebucket.s3.us-east-1.amazonaws.com');
});

describe('a store takes the signature', () => {
  let minio: Minio;
  before(async () => {
    minio = await startMinio();
  });
  after(() => minio.stop());

  test('of whatever characters a key has, and the SDK is not needed', async () => {
    const keys = [
      ...Array.from({ length: 0x7f - 0x20 }, (_, index) => `c/${String.fromCharCode(0x20 + index)}x`).filter(
        (key) => !/[\\/.]x$/.test(key),
      ),
      'Übung/日本語/🎙.bin',
      '100%/%2F%20',
      'a+b=c&d?e#f',
      "it's (here)!*~",
    ];
    const bucket = await minio.createBucket();
    for (const key of keys) await minio.write(bucket, `models/${key}`, key);
    const why: string[] = [];
    const credentials = staticKeys(minio.accessKeyId, minio.secretAccessKey);
    const store = await S3Store.open(s3Settings({ bucket, endpoint: minio.endpoint, credentials }), {
      onOnlySdk: (reason) => why.push(reason),
    });
    try {
      for (const key of keys) assert.equal(String(await contentOf(store, key)), key);
      assert.deepEqual(await listed(store, ''), keys.toSorted());
      assert.deepEqual(
        await listed(store, 'Übung/'),
        keys.filter((key) => key.startsWith('Übung/')),
      );
    } finally {
      store.close();
    }
    assert.deepEqual(why, []);
  });
});

function addressOfExample(): NonNullable<ReturnType<typeof s3Address>> {
  return s3Address('examplebucket', 'us-east-1', undefined) ?? assert.fail();
}

function exampleSigner(context: TestContext): { readonly signer: S3Signer } {
  mock.timers.enable({ apis: ['Date'], now: EXAMPLE.now });
  context.after(() => mock.timers.reset());
  const provider = (): Promise<typeof EXAMPLE> => Promise.resolve(EXAMPLE);
  const address = { ...addressOfExample(), hostHeader: 'examplebucket.s3.amazonaws.com' };
  return {
    signer: new S3Signer(address, 'us-east-1', { source: 'the example', identity: EXAMPLE, provider }),
  };
}
