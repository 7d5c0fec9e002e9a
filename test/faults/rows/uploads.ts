import { readerKey } from '../../support/reader-key.ts';
import { refusal, reset, silence, xml } from '../answers.ts';
import type { Group } from '../row.ts';
import { always, NOTHING, of, once, uploadBehind } from './shared.ts';

const UPLOADED = 'Models uploaded to S3 - future cold starts will be faster: …';
const AGAIN = 'Nothing: the next upload, or write-back, goes on where this one ended.';

export const uploads: Group = {
  name: 'uploads',
  title: 'Uploads and the write-back',
  rows: [
    {
      fault: 'the key may only read, and something is to be uploaded',
      sees: 'answered AccessDenied (403) for …; give the key the rights …s3:PutObject…',
      todo: 'As it should be where only one deployment writes. Else give it [the rights](operations.md#rights).',
      quick: true,
      expected: { within: 6, code: 'store-denied', published: 'nothing' },
      run: async (rig) => {
        const env = { ...(await readerKey(rig.minio)) };
        return rig.upload({ env, secrets: Object.values(env) });
      },
    },
    {
      fault: 'the store is overloaded for whoever sends (503)',
      sees: 'answered SlowDown (503): too many requests',
      todo: AGAIN,
      expected: { within: 40, code: ['store-throttled', 'upload-incomplete'], published: 'nothing' },
      run: (rig) =>
        uploadBehind(rig, ({ kind }) => (/put/.test(kind) ? refusal(503, 'SlowDown') : undefined)),
    },
    {
      fault: 'the store is overloaded for three parts',
      sees: UPLOADED,
      todo: NOTHING,
      expected: { within: 15, code: 'ok', published: 'everything' },
      run: (rig) =>
        uploadBehind(
          rig,
          of('put part', (nth) => (nth <= 3 ? refusal(503, 'SlowDown') : undefined)),
        ),
    },
    {
      fault: 'a connection is reset while a part is sent, once',
      sees: UPLOADED,
      todo: NOTHING,
      expected: { within: 8, code: 'ok', published: 'everything' },
      run: (rig) => uploadBehind(rig, of('put part', once(reset))),
    },
    {
      fault: 'no connection takes more than 6 MB from here',
      sees: 'cannot reach http://…; check the endpoint and the network',
      todo: 'Look at what stands between: a proxy that limits what is sent (`client_max_body_size`).',
      expected: {
        within: 40,
        code: ['store-unreachable', 'upload-incomplete'],
        published: 'what was verified',
      },
      run: async (rig) => {
        const { endpoint } = await rig.proxy([
          { type: 'limit_data', stream: 'upstream', attributes: { bytes: 6e6 } },
        ]);
        return rig.upload({ endpoint });
      },
    },
    {
      fault: 'a part is never answered, once',
      sees: UPLOADED,
      todo: NOTHING,
      expected: { within: 15, code: 'ok', published: 'everything' },
      run: (rig) => uploadBehind(rig, of('put part', once(silence)), { args: ['--stall', '4s'] }),
    },
    {
      fault: 'parts are never answered',
      sees: [
        'nothing came from the store for 2 s (--stall)',
        'the store said nothing of …/blobs/… for 2 s',
        'cannot reach …: TimeoutError: …',
      ],
      todo: AGAIN,
      expected: { within: 25, code: ['store-stalled', 'store-unreachable'], published: 'nothing' },
      run: (rig) => uploadBehind(rig, of('put part', always(silence)), { args: ['--stall', '2s'] }),
    },
    {
      fault: 'somebody aborts the multipart upload in the middle (NoSuchUpload)',
      sees: UPLOADED,
      todo: NOTHING,
      expected: { within: 15, code: 'ok', published: 'everything' },
      run: (rig) =>
        uploadBehind(
          rig,
          of('put part', (nth) => (nth === 2 ? refusal(404, 'NoSuchUpload') : undefined)),
        ),
    },
    {
      fault: 'to complete an upload is answered with 200 and an error in it, once',
      sees: UPLOADED,
      todo: NOTHING,
      expected: { within: 15, code: 'ok', published: 'everything' },
      run: (rig) =>
        uploadBehind(
          rig,
          of(
            'complete upload',
            once(xml('<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>')),
          ),
        ),
    },
    {
      fault: 'to complete an upload is answered with 200 and an error in it, again and again',
      sees: 'answered InternalError',
      todo: AGAIN,
      expected: { within: 30, code: ['store-failed', 'upload-incomplete'], published: 'what was verified' },
      run: (rig) =>
        uploadBehind(
          rig,
          of(
            'complete upload',
            always(xml('<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>')),
          ),
        ),
    },
    {
      fault: 'an upload is completed, and the answer is lost',
      sees: UPLOADED,
      todo: NOTHING,
      quick: true,
      expected: { within: 10, code: 'ok', published: 'everything' },
      run: (rig) =>
        uploadBehind(
          rig,
          of(
            'complete upload',
            once({ body: (answer, response) => void answer.resume().on('end', () => reset(response)) }),
          ),
        ),
    },
    {
      fault: "the store's disk is full (507 XMinioStorageFull)",
      sees: 'answered XMinioStorageFull (507)',
      todo: 'Make room in the store.',
      expected: { within: 40, code: ['store-failed', 'upload-incomplete'], published: 'nothing' },
      run: (rig) =>
        uploadBehind(rig, ({ kind }) =>
          /put|create/.test(kind) ? refusal(507, 'XMinioStorageFull') : undefined,
        ),
    },
    {
      fault: 'what was sent did not arrive so (400 BadDigest), once',
      sees: UPLOADED,
      todo: NOTHING,
      expected: { within: 15, code: 'ok', published: 'everything' },
      run: (rig) => uploadBehind(rig, of('put part', once(refusal(400, 'BadDigest')))),
    },
    {
      fault: 'the ETags of parts are no MD5s (some providers, some encryption)',
      sees: UPLOADED,
      todo: 'Nothing: each pod sends alone.',
      expected: { within: 15, code: 'ok', published: 'everything' },
      run: (rig) =>
        uploadBehind(
          rig,
          of('put part', (nth) =>
            nth === 1 ? { headers: (headers) => ({ ...headers, etag: '"opaque-1"' }) } : undefined,
          ),
        ),
    },
    {
      fault: 'everything is sent, and the manifests are refused (503)',
      sees: 'answered SlowDown (503): too many requests',
      todo: AGAIN,
      expected: { within: 30, code: ['store-throttled', 'upload-incomplete'], published: 'nothing' },
      run: (rig) => uploadBehind(rig, of('put manifest', always(refusal(503, 'SlowDown')))),
    },
    {
      fault: 'every answer takes 300 ms longer than it should, for whoever sends',
      sees: UPLOADED,
      todo: 'Nothing: it takes longer.',
      expected: { within: 30, code: 'ok', published: 'everything' },
      run: async (rig) => {
        const { endpoint } = await rig.proxy([{ type: 'latency', attributes: { latency: 300 } }]);
        return rig.upload({ endpoint });
      },
    },
  ],
};
