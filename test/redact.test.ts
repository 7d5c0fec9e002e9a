import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  hiding,
  redactedAddress,
  redactedCommand,
  redactedShell,
  redactedUsers,
  secretValues,
} from '../src/redact.ts';

describe('known secrets', () => {
  test('are the values of variables that are called so', () => {
    const env = {
      AWS_SECRET_ACCESS_KEY: 'aws-secret',
      MODEL_CACHE_SESSION_TOKEN: 'session',
      HF_TOKEN: 'hf_token',
      DB_PASSWORD: 'db',
      MODEL_CACHE_DIR: '/tmp/models',
      MONKEY: 'no key',
      EMPTY_TOKEN: undefined,
    };
    assert.deepEqual(
      secretValues(env).filter((value) => value !== undefined),
      ['aws-secret', 'session', 'hf_token', 'db'],
    );
  });

  test('are taken out wherever they stand, as they are and as JSON writes them', () => {
    const hide = hiding(['p"ass\\word/+', undefined, 'short']);
    assert.equal(hide('a p"ass\\word/+ b'), 'a ... b');
    assert.equal(hide(JSON.stringify({ said: 'p"ass\\word/+' })), '{"said":"..."}');
    assert.equal(hide('short words stay'), 'short words stay');
  });

  test('are hidden as they are used: without what stands around them', () => {
    assert.equal(hiding(['sekret42\r', '\tother-secret \n'])('sekret42 or other-secret.'), '... or ....');
    assert.equal(hiding(['  short  '])('short words stay'), 'short words stay');
  });

  test('are hidden whole, also where another one is the beginning', () => {
    assert.equal(hiding(['token-12', 'token-12-and-more'])('token-12-and-more, token-12'), '..., ...');
  });
});

describe('who goes through a proxy, with what password', () => {
  for (const [value, said] of [
    ['http://us:p4ss/wordXY@127.0.0.1:1', 'Invalid proxy URL: ...@127.0.0.1:1'],
    ['us:p4ss/wordXY@127.0.0.1:1', 'Invalid proxy URL: ...@127.0.0.1:1'],
    ['http://us:12/34@word@proxy', 'Invalid proxy URL: ...@proxy'],
    ['http://proxy:3128', 'Invalid proxy URL: http://proxy:3128'],
  ] as const) {
    test(`is hidden in ${value}`, () => {
      for (const name of ['http_proxy', 'HTTPS_PROXY', 'ALL_PROXY'])
        assert.equal(hiding(secretValues({ [name]: value }))(`Invalid proxy URL: ${value}`), said, name);
    });
  }

  test('is hidden without the address, too', () => {
    const hide = hiding(secretValues({ HTTPS_PROXY: 'http://somebody:p4ss/wordXY@proxy:1' }));
    assert.equal(hide('407 for somebody:p4ss/wordXY'), '407 for ...');
    assert.equal(hide('the password is p4ss/wordXY'), 'the password is ...');
  });
});

describe('a mistaken address', () => {
  for (const [text, shown] of [
    ['gs://bucket/models', 'gs://bucket/models'],
    ['https://b.s3.amazonaws.com/x?X-Amz-Signature=hush', 'https://b.s3.amazonaws.com/x...'],
    ['s3://AKID:hush@bucket/x', 's3://...'],
    ['s3://AKIAIOSFODNN7:wJal/hush', 's3://...'],
    ['AKIAIOSFODNN7:wJal/hush', '...'],
    ['htp://minio:9000/x', 'htp://minio...'],
    ['htp://minio:90000000', 'htp://...'],
    ['s3://bucket/a:b', 's3://bucket/a...'],
    ['wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'wJalrXUt...'],
    ['bucket/models', 'bucket/m...'],
    ['garbage', 'garbage'],
    ['a b', 'a...'],
    ['://host', '...'],
    ['', ''],
  ] as const) {
    test(`is repeated as far as it is safe: '${text}'`, () => assert.equal(redactedAddress(text), shown));
  }
});

describe('users in addresses', () => {
  for (const [said, shown] of [
    ['at http://user:word@host:1/x', 'at http://...@host:1/x'],
    ['at http://us:p4ss/wordXY@127.0.0.1:1', 'at http://...@127.0.0.1:1'],
    ['at s3://AKID:wJal/x+y/KEY@bucket/x', 'at s3://...@bucket/x'],
    ['at http://us:p@ss@host', 'at http://...@host'],
    ['at http://127.0.0.1:9000/bucket/a@b', 'at http://127.0.0.1:9000/bucket/a@b'],
    ['at http://[::1]:9000/bucket/a@b', 'at http://[::1]:9000/bucket/a@b'],
    ['at s3://bucket/models/a@main:x', 'at s3://bucket/models/a@main:x'],
    ['at https://host/x, a@b', 'at https://host/x, a@b'],
  ] as const) {
    test(said, () => assert.equal(redactedUsers(said), shown));
  }

  test('are looked for once, however long a text is', () => {
    const said = 'a://:x'.repeat(50_000);
    assert.equal(redactedUsers(said), said);
  });
});

describe('what looks like a secret in a line for the log', () => {
  for (const [line, shown] of [
    ['HF_TOKEN=hf_abcdefgh1234 pip install x', 'HF_TOKEN=... pip install x'],
    ['curl -H "Authorization: Bearer abc.def"', 'curl -H "Authorization: Bearer ...'],
    ['login hf_abcdefghijklmnop', 'login hf_...'],
    ['python server.py --port 80', 'python server.py --port 80'],
    ['pip install flash-attn==2.8.0', 'pip install flash-attn==2.8.0'],
  ] as const) {
    test(line, () => {
      assert.equal(redactedShell(line), shown);
      assert.equal(redactedCommand(line.split(' ')), shown);
    });
  }
});
