import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../src/errors.ts';
import { proxiesOf } from '../../src/settings/proxies.ts';
import { RawSettings, type Environment } from '../../src/settings/raw.ts';
import type { ProxyVariables } from '../../src/store/s3-access.ts';

for (const [text, proxy] of [
  ['http://proxy:3128', 'http://proxy:3128/'],
  ['https://proxy', 'https://proxy/'],
  ['HTTP://proxy:3128/', 'http://proxy:3128/'],
  ['127.0.0.1:3128', 'http://127.0.0.1:3128/'],
  ['proxy', 'http://proxy/'],
  ['//proxy:3128', 'http://proxy:3128/'],
  ['[::1]:3128', 'http://[::1]:3128/'],
  ['user:word@proxy:3128', 'http://user:word@proxy:3128/'],
] as const) {
  test(`the proxy ${text} is ${proxy}, as curl takes it`, () => {
    const { proxies, told } = read({ HTTP_PROXY: text });
    assert.deepEqual([proxies.HTTP_PROXY, told], [proxy, []]);
  });
}

for (const [text, found] of [
  ['socks5://proxy:1080', 'socks5://proxy...'],
  ['http://', 'http://'],
  ['http://us:p4ss/wordXY@127.0.0.1:1', 'http://...'],
  ['us:12/34@127.0.0.1:1', '...'],
  ['http://us:50%off@proxy', 'http://...'],
  ['"http://proxy:3128"', '...'],
  ['a b', 'a...'],
] as const) {
  test(`${text} is no proxy: that is told, and the store asked without one, whatever the command`, () => {
    for (const startsServer of [true, false]) {
      const { proxies, told } = read({ https_proxy: text }, startsServer);
      assert.equal(proxies.HTTPS_PROXY, undefined);
      assert.deepEqual(told, [
        `https_proxy: not a proxy (wanted http://HOST:PORT, found ${found}); the store is asked without it`,
      ]);
    }
  });
}

test('the lower-case spelling counts first, and hosts without a proxy are left as they are', () => {
  const env = {
    http_proxy: 'one',
    HTTP_PROXY: 'two',
    HTTPS_PROXY: 'three',
    https_proxy: ' ',
    no_proxy: 'a, .b',
  };
  assert.deepEqual(read(env), {
    proxies: { HTTP_PROXY: 'http://one/', HTTPS_PROXY: 'http://three/', NO_PROXY: 'a, .b' },
    told: [],
  });
});

function read(
  env: Environment,
  startsServer = true,
): { readonly proxies: ProxyVariables; readonly told: readonly string[] } {
  const raw = new RawSettings({}, env, startsServer);
  const proxies = proxiesOf(raw);
  return { proxies, told: raw.problems.map(explain) };
}
