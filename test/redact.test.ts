import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hiding, redactedCommand, redactedShell, secretValues } from '../src/redact.ts';

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
