import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../src/errors.ts';
import { formatStoreUrl, parseStoreUrl } from '../../src/store/store-url.ts';

for (const [text, bucket, prefix, printed] of [
  ['s3://bucket/models', 'bucket', 'models', 's3://bucket/models'],
  ['s3://bucket', 'bucket', '', 's3://bucket'],
  ['s3://bucket/', 'bucket', '', 's3://bucket'],
  ['s3://my-bucket.name/a/b/', 'my-bucket.name', 'a/b', 's3://my-bucket.name/a/b'],
  ['s3://abc/x', 'abc', 'x', 's3://abc/x'],
  ['s3://An_older.name/x', 'An_older.name', 'x', 's3://An_older.name/x'],
  ['s3://bucket//a//b', 'bucket', 'a/b', 's3://bucket/a/b'],
] as const) {
  test(`${text} is the bucket ${bucket} with the prefix '${prefix}'`, () => {
    const url = parseStoreUrl(text);
    assert.deepEqual(url, { kind: 's3', bucket, prefix });
    assert.equal(formatStoreUrl(url), printed);
  });
}

for (const [text, path] of [
  ['file:///mnt/models', '/mnt/models'],
  ['file:///mnt/models/', '/mnt/models'],
  ['file:///mnt/my%20models', '/mnt/my models'],
] as const) {
  test(`${text} is the folder ${path}`, () => {
    assert.deepEqual(parseStoreUrl(text), { kind: 'file', path });
  });
}

for (const text of [
  's3://ab',
  's3://-bucket/x',
  's3://buck et/x',
  `s3://${'b'.repeat(256)}`,
  's3://s3://bucket/models',
]) {
  test(`${text.slice(0, 40)} is refused: no bucket has such a name`, () => {
    assert.throws(() => parseStoreUrl(text), {
      code: 'store-url-invalid',
      message: /no bucket has such a name/,
      wanted: '3 to 255 letters, digits, dots, hyphens and underscores, a letter or a digit first',
    });
  });
}

for (const text of [
  'bucket/models',
  's3://',
  's3:///models',
  'S3://bucket',
  'https://bucket.s3.amazonaws.com/models',
  'gs://bucket/models',
  'file://host/path',
  'file:relative',
  '/mnt/models',
]) {
  test(`${text} is refused, with both forms that are taken`, () => {
    assert.throws(() => parseStoreUrl(text), { code: 'store-url-invalid', wanted: /s3:\/\/.*file:\/\// });
  });
}

for (const [what, text] of [
  ['keys', 's3://AKID:hush@bucket/models'],
  ['a secret with a slash, as AWS makes them', 's3://AKID:wJal/hush/EKEY@bucket/models'],
  ['keys without a scheme', 'AKID:hush@bucket/models'],
  ['a signed URL', 'https://bucket.s3.amazonaws.com/models?X-Amz-Credential=AKID&X-Amz-Signature=hush'],
  ['a token in the query', 's3+http://bucket/models?token=hush'],
] as const) {
  test(`${what} in a store's name are not repeated`, () => {
    assert.throws(
      () => parseStoreUrl(text),
      (error) => {
        assert.doesNotMatch(explain(error), /hush/);
        return true;
      },
    );
  });
}
