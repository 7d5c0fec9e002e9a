import { saying, upTo, xml } from '../answers.ts';
import type { Group } from '../row.ts';
import { always, initBehind, MiB, of } from './shared.ts';

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">';
const UNREADABLE =
  'S3 model sync failed: http://… answered what no S3 store does: XML parse error: …; check the endpoint; a proxy or a page to sign in at may stand before it';
const NO_FORMAT =
  'S3 model sync failed: .model-cache/v1/format.json names a format this program does not know …';
const NO_S3 = 'Look at what answers there: a page to sign in at, a proxy, another program.';

function page(entries: string, next: string): string {
  const more = `<IsTruncated>true</IsTruncated><NextContinuationToken>${next}</NextContinuationToken>`;
  return `${HEAD}${more}${entries}</ListBucketResult>`;
}

function entry(key: string): string {
  return `<Contents><Key>${key}</Key><Size>1</Size><ETag>"e"</ETag></Contents>`;
}

export const listings: Group = {
  name: 'listings',
  title: 'What the store answers when its objects are listed',
  rows: [
    {
      fault: 'the same page of the listing comes again and again (repeated continuation token)',
      sees: 'S3 model sync failed: s3://… gave the same continuation token twice: its listing has no end',
      todo: 'Use a store that lists as S3 does.',
      quick: true,
      expected: { within: 3, code: 'store-failed', published: 'nothing' },
      run: (rig) => initBehind(rig, of('list', always(xml(page('', 'again'))))),
    },
    {
      fault: 'the listing never ends, always with a new continuation token',
      sees: 'S3 model sync failed: …',
      todo: 'Look at what answers there; `--timeout` bounds the whole.',
      expected: { within: 30, code: ['store-failed', 'store-slow'], published: 'nothing' },
      run: (rig) =>
        initBehind(
          rig,
          of('list', (nth) => xml(page(entry(`models/.model-cache/v1/manifests/x/${nth}`), `token-${nth}`))),
          { args: ['--stall', '1s'] },
        ),
    },
    {
      fault: 'the listing is no XML that is well formed',
      sees: UNREADABLE,
      todo: NO_S3,
      quick: true,
      expected: { within: 6, code: 'store-failed', published: 'nothing' },
      run: (rig) =>
        initBehind(rig, of('list', always(xml(`${HEAD}<Contents><Key>a</Contents></ListBucket`)))),
    },
    {
      fault: 'the listing stops in the middle, as if it were whole',
      sees: UNREADABLE,
      todo: NO_S3,
      expected: { within: 6, code: 'store-failed', published: 'nothing' },
      run: (rig) =>
        initBehind(
          rig,
          of(
            'list',
            always({
              headers: (headers) => ({ ...headers, 'content-length': undefined }),
              ...upTo(400, (response) => response.end()),
            }),
          ),
        ),
    },
    {
      fault: 'the listing has 20 MiB of XML on one page',
      sees: 'S3 model sync failed: …',
      todo: NO_S3,
      expected: { within: 6, code: 'store-failed', published: 'nothing' },
      run: (rig) => {
        const entries = entry('models/hub/models--a--b/blobs/x').repeat((20 * MiB) / 80);
        return initBehind(rig, of('list', always(xml(page(entries, 'more')))));
      },
    },
    {
      fault: 'a page to sign in at answers everything (200, text/html)',
      sees: [UNREADABLE, NO_FORMAT],
      todo: NO_S3,
      quick: true,
      expected: { within: 6, code: ['store-failed', 'format-unknown'], published: 'nothing' },
      run: (rig) =>
        initBehind(rig, () =>
          saying(
            200,
            { 'content-type': 'text/html' },
            '<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>',
          ),
        ),
    },
    {
      fault: 'everything is answered with 200 and nothing',
      sees: [UNREADABLE, NO_FORMAT],
      todo: NO_S3,
      quick: true,
      expected: { within: 6, code: ['store-failed', 'format-unknown'], published: 'nothing' },
      run: (rig) => initBehind(rig, () => saying(200, {})),
    },
    {
      fault: 'everything is answered with JSON',
      sees: [UNREADABLE, NO_FORMAT],
      todo: NO_S3,
      expected: { within: 6, code: ['store-failed', 'format-unknown'], published: 'nothing' },
      run: (rig) =>
        initBehind(rig, () => saying(200, { 'content-type': 'application/json' }, '{"hello": "world"}')),
    },
    {
      fault: 'there is nothing where the endpoint points to (404, a page for people)',
      sees: 'S3 model sync failed: http://… answered NotFound (404) for …; check the endpoint and the bucket; make it with: …',
      todo: 'Check `--endpoint-url`: it must be the address of the S3 API.',
      expected: { within: 3, code: 'store-bucket-missing', published: 'nothing' },
      run: (rig) =>
        initBehind(rig, () =>
          saying(404, { 'content-type': 'text/html' }, '<html><h1>404 Not Found</h1></html>'),
        ),
    },
  ],
};
