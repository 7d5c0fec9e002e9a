import { refusal, refusalInChunks, reset, saying } from '../answers.ts';
import type { Group } from '../row.ts';
import { always, COMPLETED, initBehind, MiB, NOTHING, of, once } from './shared.ts';

const THROTTLED = 'S3 model sync failed: http://… answered … (503): too many requests';
const FAILED =
  'S3 model sync failed: http://… answered InternalError (500): something went wrong on its side';
const PROVIDER = "Look at the provider's status page; a later start tries again.";
const FEWER = 'Start fewer pods at once, or ask the provider for more requests a second.';
const IN_CHUNKS = refusalInChunks(503, 'SlowDown');
const SOME_SAY_SO = (nth: number) => (nth <= 5 ? refusal(503, 'SlowDown') : undefined);

export const refusals: Group = {
  name: 'refusals',
  title: 'When the store refuses',
  rows: [
    {
      fault: 'the store is overloaded, and says so to everybody (503 SlowDown)',
      sees: THROTTLED,
      todo: FEWER,
      expected: { within: 15, code: 'store-throttled', published: 'nothing' },
      run: (rig) => initBehind(rig, () => refusal(503, 'SlowDown')),
    },
    {
      fault: 'the store is overloaded, and says when to come again (503, Retry-After: 1)',
      sees: THROTTLED,
      todo: FEWER,
      expected: { within: 20, code: 'store-throttled', published: 'nothing' },
      run: (rig) => initBehind(rig, () => refusal(503, 'SlowDown', '', { 'retry-after': '1' })),
    },
    {
      fault: 'the store is overloaded, and says to come again in an hour (503, Retry-After: 3600)',
      sees: [THROTTLED, 'S3 model sync failed: nothing came from the store for 4 s (--stall)'],
      todo: FEWER,
      expected: { within: 6, code: ['store-throttled', 'store-stalled'], published: 'nothing' },
      run: (rig) =>
        initBehind(rig, () => refusal(503, 'SlowDown', '', { 'retry-after': '3600' }), {
          args: ['--stall', '4s'],
        }),
    },
    {
      fault: 'this address has sent too many requests (429)',
      sees: 'S3 model sync failed: http://… answered TooManyRequests (429): too many requests',
      todo: FEWER,
      expected: { within: 15, code: 'store-throttled', published: 'nothing' },
      run: (rig) => initBehind(rig, () => refusal(429, 'TooManyRequests')),
    },
    {
      fault: 'the store is overloaded for five requests for files',
      sees: COMPLETED,
      todo: NOTHING,
      quick: true,
      expected: { within: 8, code: 'ok', published: 'everything' },
      run: (rig) => initBehind(rig, of('content', SOME_SAY_SO)),
    },
    {
      fault: 'the store is overloaded for the first five requests, whatever they are for',
      sees: COMPLETED,
      todo: 'Nothing: many pods that start at once are too many for some providers, for a moment.',
      expected: { within: 10, code: 'ok', published: 'everything' },
      run: (rig) => {
        let asked = 0;
        return initBehind(rig, () => SOME_SAY_SO((asked += 1)));
      },
    },
    {
      fault: 'files are never given, the store being overloaded (503)',
      sees: THROTTLED,
      todo: FEWER,
      expected: { within: 15, code: 'store-throttled', published: 'nothing' },
      run: (rig) => initBehind(rig, of('content', always(IN_CHUNKS))),
    },
    {
      fault: 'the store has an error of its own, again and again (500)',
      sees: FAILED,
      todo: PROVIDER,
      expected: { within: 8, code: 'store-failed', published: 'nothing' },
      run: (rig) => initBehind(rig, () => refusal(500, 'InternalError')),
    },
    {
      fault: 'the store has an error of its own, once for each kind of request (500)',
      sees: COMPLETED,
      todo: NOTHING,
      quick: true,
      expected: { within: 6, code: 'ok', published: 'everything' },
      run: (rig) => initBehind(rig, ({ nth }) => once(refusal(500, 'InternalError'))(nth)),
    },
    {
      fault: 'a gateway cannot reach the store (502, a page for people)',
      sees: 'S3 model sync failed: http://… answered Bad Gateway (502)',
      todo: 'Look after the gateway.',
      expected: { within: 8, code: 'store-failed', published: 'nothing' },
      run: (rig) =>
        initBehind(rig, () =>
          saying(502, { 'content-type': 'text/html' }, '<html><h1>Bad Gateway</h1></html>'),
        ),
    },
    {
      fault:
        'the bucket is in another region, and the store says in which (400 AuthorizationHeaderMalformed)',
      sees: 'answered AuthorizationHeaderMalformed (400): the bucket is not in region us-east-1; set --region eu-west-3',
      todo: 'Set `--region` as the line says.',
      quick: true,
      expected: { within: 3, code: 'store-region-wrong', published: 'nothing' },
      run: (rig) =>
        initBehind(rig, () => refusal(400, 'AuthorizationHeaderMalformed', '<Region>eu-west-3</Region>')),
    },
    {
      fault: 'the bucket is in another region, and the store sends there (301)',
      sees: COMPLETED,
      todo: 'Nothing; `--region` saves the detour.',
      expected: { within: 6, code: 'ok', published: 'everything' },
      run: (rig) =>
        initBehind(rig, ({ headers }) =>
          String(headers.authorization).includes('/eu-central-1/')
            ? undefined
            : refusal(301, 'PermanentRedirect', '', { 'x-amz-bucket-region': 'eu-central-1' }),
        ),
    },
    {
      fault: 'the store sends on to another region, again and again (301)',
      sees: 'answered PermanentRedirect (301): the bucket is not in region …',
      todo: 'Set `--region` and `--endpoint-url` to those of the bucket.',
      expected: { within: 6, code: 'store-region-wrong', published: 'nothing' },
      run: (rig) =>
        initBehind(rig, ({ nth }) =>
          refusal(301, 'PermanentRedirect', '', { 'x-amz-bucket-region': `region-${nth}` }),
        ),
    },
    {
      fault: 'the store sends on to another host (307)',
      sees: 'S3 model sync failed: http://… answered TemporaryRedirect (307): it sends on to elsewhere.invalid; name the store itself in the endpoint…',
      todo: 'Name that host in `--endpoint-url`: keys are sent to no host that nobody named.',
      expected: { within: 3, code: 'store-failed', published: 'nothing' },
      run: (rig) =>
        initBehind(rig, () =>
          refusal(307, 'TemporaryRedirect', '<Endpoint>elsewhere.invalid</Endpoint>', {
            location: 'http://elsewhere.invalid/',
          }),
        ),
    },
    {
      fault: 'the store sends to itself for ever (302)',
      sees: 'S3 model sync failed: http://… answered Found (302): it sends on; name the store itself in the endpoint; a page to sign in at may stand before it',
      todo: 'Look at what stands in front of the store: a page to sign in at, perhaps.',
      expected: { within: 3, code: 'store-failed', published: 'nothing' },
      run: (rig) => initBehind(rig, ({ url }) => saying(302, { location: url })),
    },
    {
      fault: "this machine's clock is 20 minutes off",
      sees: "answered RequestTimeTooSkewed (403): this machine's clock is off (it says …); set the clock",
      todo: 'Set the clock of the host.',
      quick: true,
      expected: { within: 3, code: 'store-clock-skewed', published: 'nothing' },
      run: (rig) => initBehind(rig, () => refusal(403, 'RequestTimeTooSkewed')),
    },
    {
      fault: 'the store refuses without a word (403, no body)',
      sees: 'S3 model sync failed: http://… answered Forbidden (403) for …; check the key and its rights',
      todo: 'Check the key and its rights; a firewall for HTTP may refuse for the store.',
      expected: { within: 3, code: 'store-denied', published: 'nothing' },
      run: (rig) => initBehind(rig, () => saying(403, {})),
    },
    {
      fault: 'the store repeats in its error what the request was signed with',
      sees: 'S3 model sync failed: http://… answered TeapotError (418)',
      todo: 'Look at what stands in front of the store. No key is repeated in the log.',
      quick: true,
      expected: { within: 6, code: 'store-failed', published: 'nothing' },
      run: (rig) =>
        initBehind(rig, ({ headers, url }) => {
          const query = `X-Amz-Credential=${rig.minio.accessKeyId}&amp;X-Amz-Signature=feed`;
          const text = `refused: ${url}?${query}, authorization: ${String(headers.authorization)}`;
          return saying(
            418,
            { 'content-type': 'application/xml' },
            `<?xml version="1.0"?><Error><Code>TeapotError</Code><Message>${text}</Message></Error>`,
          );
        }),
    },
    {
      fault: 'the store says a megabyte in its error',
      sees: 'S3 model sync failed: http://… answered TeapotError (418)',
      todo: 'Nothing of its own: the line is cut.',
      expected: { within: 6, code: 'store-failed', published: 'nothing' },
      run: (rig) =>
        initBehind(rig, () =>
          saying(
            418,
            { 'content-type': 'application/xml' },
            `<?xml version="1.0"?><Error><Code>TeapotError</Code><Message>${'more '.repeat(MiB / 5)}</Message></Error>`,
          ),
        ),
    },
    {
      fault: 'a manifest has gone since it was listed',
      sees: 'left out: s3://… has no object .model-cache/v1/manifests/…',
      todo: 'Nothing on a bucket that is being pruned; the next start lists anew.',
      expected: { within: 4, code: 'restore-incomplete', published: 'what was verified', warnings: 'some' },
      run: (rig) => initBehind(rig, of('manifest', once(refusal(404, 'NoSuchKey')))),
    },
    {
      fault: 'a connection is reset at the first manifest',
      sees: COMPLETED,
      todo: NOTHING,
      expected: { within: 4, code: 'ok', published: 'everything' },
      run: (rig) => initBehind(rig, of('manifest', once(reset))),
    },
  ],
};
