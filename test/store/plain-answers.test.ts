import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { faultOf, parseListing } from '../../src/store/plain-answers.ts';
import { explainS3Error } from '../../src/store/s3-errors.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import type { StoredObject } from '../../src/store/store.ts';
import { answerXml, withServer } from './scripted-s3.ts';
import { s3Settings } from './s3-settings.ts';

const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const END = '<IsTruncated>false</IsTruncated>';
const entry = (key: string, more = '<Size>1</Size><ETag>&quot;e&quot;</ETag>'): string =>
  `<Contents><Key>${key}</Key>${more}</Contents>`;
const listing = (inside: string): string => `<ListBucketResult ${NAMESPACE}>${inside}</ListBucketResult>`;
const encoded = (inside: string): string => listing(`<EncodingType>url</EncodingType>${END}${inside}`);

describe('a listing is what the SDK makes of it', () => {
  const rows: readonly (readonly [string, string, number])[] = [
    ['nothing', listing(END), 0],
    ['one object', listing(`${END}${entry('models/a')}`), 1],
    ['two objects', listing(`${END}${entry('models/a')}${entry('models/b')}`), 2],
    ['a key with entities', listing(`${END}${entry('models/a&amp;b&lt;c&gt;&quot;&apos;&#x41;&#66;')}`), 1],
    ['a key with spaces around it', listing(`${END}${entry('models/ a ')}`), 1],
    ['a key that looks like a number', listing(`${END}${entry('models/1')}${entry('1')}`), 1],
    ['a key of other scripts', listing(`${END}${entry('models/Übung/日本語/🎙')}`), 1],
    ['a key in a CDATA section', listing(`${END}${entry('<![CDATA[models/a<b]]>')}`), 1],
    ['encoded keys', encoded(entry('models/a%20b+c%2Bd%25%2F%0A%C3%9C')), 1],
    ['an encoded key that is none', encoded(entry('models/%FF')), 0],
    ['an encoded key with a lone percent sign', encoded(entry('models/%')), 0],
    ['a key of another prefix', listing(`${END}${entry('other/a')}`), 0],
    ['a folder of nothing', listing(`${END}${entry('models/hub/')}`), 0],
    ['an object without a size', listing(`${END}${entry('models/a', '<ETag>"e"</ETag>')}`), 0],
    ['an object of a size below nothing', listing(`${END}${entry('models/a', '<Size>-1</Size>')}`), 0],
    ['an object of half a byte', listing(`${END}${entry('models/a', '<Size>0.5</Size>')}`), 0],
    ['an object without an ETag', listing(`${END}${entry('models/a', '<Size>1</Size>')}`), 1],
    ['an object without a key', listing(`${END}<Contents><Size>1</Size></Contents>`), 0],
    ['an empty entry', listing(`${END}<Contents/>`), 0],
    ['common prefixes', listing(`${END}<CommonPrefixes><Prefix>models/a/</Prefix></CommonPrefixes>`), 0],
    [
      'what no version of S3 says',
      listing(`${END}<Later x="1"><Key>models/x</Key></Later>${entry('models/a')}`),
      1,
    ],
    ['a comment', listing(`${END}<!-- <Contents/> -->${entry('models/a')}`), 1],
    ['without a namespace', listing(`${END}${entry('models/a')}`).replace(` ${NAMESPACE}`, ''), 1],
  ];
  for (const [name, xml, count] of rows)
    test(name, async () => {
      const [ours, sdks] = [await listedBy(undefined, xml), await listedBy('the test', xml)];
      assert.deepEqual(ours.objects, sdks.objects);
      assert.equal(ours.objects.length, count);
      assert.deepEqual(ours.why, []);
    });
});

describe('what is no listing is left to the SDK', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['no XML', 'no listing'],
    ['a page for people', '<!DOCTYPE html><html><body>Sign in</body></html>'],
    ['another answer', '<ListAllMyBucketsResult/>'],
    ['an empty answer', '<ListBucketResult/>'],
    ['one that is cut off', `<ListBucketResult>${END}${entry('models/a').slice(0, -5)}`],
    ['one that does not say its end', listing(entry('models/a'))],
    ['an end that is neither', listing('<IsTruncated>maybe</IsTruncated>')],
    ['more, without saying where', listing('<IsTruncated>true</IsTruncated>')],
    ['two ends', listing(`${END}<IsTruncated>true</IsTruncated>`)],
  ];
  for (const [name, xml] of rows) test(name, () => assert.throws(() => parseListing(xml)));
});

test('a listing goes on where it says', () => {
  const xml = listing(
    '<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>',
  );
  assert.equal(parseListing(xml).next, 'a&b');
  assert.equal(parseListing(listing(END)).next, undefined);
});

describe('a refusal is understood as the SDK would', () => {
  const context = {
    url: 's3://bucket',
    bucket: 'bucket',
    endpoint: undefined,
    region: 'us-east-1',
    key: 'k',
  };
  const says = (code: string, more = ''): string =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said so</Message>${more}</Error>`;
  const rows: readonly {
    status: number;
    body: string;
    headers?: Record<string, string>;
    code: string;
    hint?: RegExp;
  }[] = [
    { status: 404, body: says('NoSuchKey'), code: 'object-missing' },
    { status: 404, body: says('NoSuchBucket'), code: 'store-bucket-missing' },
    { status: 412, body: '', code: 'object-changed' },
    { status: 416, body: says('InvalidRange'), code: 'object-size-differs' },
    { status: 403, body: says('AccessDenied'), code: 'store-denied' },
    { status: 403, body: '<html>no', code: 'store-denied' },
    { status: 503, body: says('SlowDown'), code: 'store-throttled' },
    { status: 503, body: '', code: 'store-throttled' },
    { status: 429, body: 'slow down', code: 'store-throttled' },
    { status: 500, body: '{"not": "xml"}', code: 'store-failed' },
    {
      status: 400,
      body: says('AuthorizationHeaderMalformed', '<Region>eu-west-3</Region>'),
      code: 'store-region-wrong',
      hint: /eu-west-3/,
    },
    {
      status: 301,
      body: says('PermanentRedirect'),
      headers: { 'x-amz-bucket-region': 'eu-west-1' },
      code: 'store-region-wrong',
      hint: /eu-west-1/,
    },
    { status: 500, body: says('<Nested/>'), code: 'store-failed' },
  ];
  for (const { status, body, headers = {}, code, hint = /.*/ } of rows)
    test(`${status} ${body.slice(0, 60)}`, () => {
      const error = explainS3Error(faultOf({ status, headers, body }), context);
      assert.equal(error.code, code);
      assert.match(error.hint ?? '', hint);
    });
});

async function listedBy(
  onlySdk: string | undefined,
  xml: string,
): Promise<{ objects: readonly StoredObject[]; why: readonly string[] }> {
  return withServer(
    (_, response) => answerXml(response, xml),
    async ({ endpoint }) => {
      const why: string[] = [];
      const store = await S3Store.open(s3Settings({ endpoint, onlySdk }), {
        onOnlySdk: (reason) => why.push(reason),
      });
      try {
        return { objects: await Array.fromAsync(store.list('')), why };
      } finally {
        store.close();
      }
    },
  );
}
