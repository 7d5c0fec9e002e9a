import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration, parseEndpoint, parseOwner, parseSpeed } from '../../src/settings/parse.ts';

for (const [text, milliseconds] of [
  ['90s', 90_000],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['90', 90_000],
  ['1.5', 1500],
  ['0.5s', 500],
  ['250ms', 250],
  ['0', 0],
] as const) {
  test(`the duration ${text} is ${milliseconds} ms`, () => {
    assert.equal(parseDuration(text), milliseconds);
  });
}

for (const text of [
  '',
  's',
  '-1',
  '-90s',
  '90 parsecs',
  'soon',
  'Infinity',
  'NaN',
  '1e3',
  `1${' '.repeat(200)}s`,
]) {
  test(`'${text.slice(0, 20)}' is no duration`, () => {
    assert.throws(() => parseDuration(text));
  });
}

test('a speed is megabytes a second, with or without saying so', () => {
  for (const text of ['5', '5MB/s', '5 MB/s', '5mb']) assert.equal(parseSpeed(text), 5e6, text);
  for (const text of ['', '-1', '5 Mbit/s', 'fast']) assert.throws(() => parseSpeed(text), text);
});

for (const [text, endpoint] of [
  ['minio:9000', 'https://minio:9000'],
  ['s3.us-west-004.backblazeb2.com', 'https://s3.us-west-004.backblazeb2.com'],
  ['http://127.0.0.1:9000/', 'http://127.0.0.1:9000'],
  ['https://host/base//', 'https://host/base'],
] as const) {
  test(`the endpoint ${text} is ${endpoint}`, () => {
    assert.equal(parseEndpoint(text), endpoint);
  });
}

for (const text of ['ftp://host', 'https://', 'http://a b', 'https://key:hush@host', '://host']) {
  test(`${text} is no endpoint`, () => {
    assert.throws(() => parseEndpoint(text), { code: 'setting-invalid' });
  });
}

test('an owner is numbers; without a group, the group of the same number', () => {
  assert.deepEqual(parseOwner('1000'), { uid: 1000, gid: 1000 });
  assert.deepEqual(parseOwner('1000:0'), { uid: 1000, gid: 0 });
  for (const text of ['root', '1000:', ':1', '-1', '1.5']) assert.throws(() => parseOwner(text), text);
});

test('an owner’s numbers are those that chown knows', () => {
  assert.deepEqual(parseOwner('4294967294'), { uid: 4294967294, gid: 4294967294 });
  assert.deepEqual(parseOwner('0:4294967294'), { uid: 0, gid: 4294967294 });
  // 2³² − 1 is "leave it as it is".
  for (const text of ['4294967295', '0:4294967295', '4294967296:0', '9'.repeat(400), `0:${'9'.repeat(400)}`])
    assert.throws(() => parseOwner(text), { code: 'setting-invalid' }, text);
});
