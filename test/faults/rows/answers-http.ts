import { gzipSync } from 'node:zlib';
import { hangUp, head, saying, upTo } from '../answers.ts';
import { oldHttp } from '../listeners.ts';
import type { Row } from '../row.ts';
import { always, COMPLETED, initBehind, NOTHING, of, ofLargest } from './shared.ts';

const HINT_PROXY = 'Look at what stands between the pods and the store: it changes answers.';

export const oddHttp: readonly Row[] = [
  {
    fault: 'the answer is of another range than was asked for',
    sees: 'the store answered with another range (wanted bytes …, found bytes …)',
    todo: HINT_PROXY,
    expected: { within: 8, code: 'store-failed', published: 'what was verified' },
    run: (rig) =>
      initBehind(rig, ofLargest(rig, always(head({ 'content-range': 'bytes 7-16777222/25165824' })))),
  },
  {
    fault: 'ranges are not heeded: the answer is 200 with the whole file',
    sees: 'the store answered with another range (wanted bytes …, found all 25165824 bytes)',
    todo: 'Use a store, or a proxy, that heeds `Range`.',
    expected: { within: 8, code: 'store-failed', published: 'what was verified' },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(rig, always(head({ 'content-range': undefined, 'content-length': '25165824' }, 200))),
      ),
  },
  {
    fault: 'answers are shorter than they say, and end well all the same',
    sees: 'the connection ended in the middle of …/blobs/…',
    todo: HINT_PROXY,
    expected: { within: 8, code: 'store-unreachable', published: 'what was verified' },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(
          rig,
          always({
            ...head({ 'content-length': undefined }),
            ...upTo(1000, (response) => response.end()),
          }),
        ),
      ),
  },
  {
    fault: 'answers are longer than they say',
    sees: 'the connection ended in the middle of …/blobs/… (wanted … bytes, found more bytes)',
    todo: HINT_PROXY,
    expected: { within: 8, code: 'store-unreachable', published: 'what was verified' },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(
          rig,
          always({
            ...head({ 'content-length': undefined }),
            body: (answer, response) => {
              answer.pipe(response, { end: false });
              answer.on('end', () => response.end('and more'));
            },
          }),
        ),
      ),
  },
  {
    fault: 'answers come compressed (Content-Encoding: gzip), though nobody asked for that',
    sees: 'the connection ended in the middle of …/blobs/…',
    todo: 'Turn compression off in the proxy: models do not shrink.',
    expected: { within: 8, code: 'store-unreachable', published: 'what was verified' },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(
          rig,
          always({
            ...head({ 'content-encoding': 'gzip', 'content-length': undefined }),
            body: (answer, response) => {
              void answer
                .toArray()
                .then((chunks) => response.end(gzipSync(Buffer.concat(chunks as Buffer[]))));
            },
          }),
        ),
      ),
  },
  {
    fault: 'answers come in chunks, without a length',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    expected: { within: 5, code: 'ok', published: 'everything' },
    run: (rig) => initBehind(rig, () => head({ 'content-length': undefined })),
  },
  {
    fault: 'an answer says it has 2⁶⁰ bytes',
    sees: ['S3 model sync failed: …'],
    todo: HINT_PROXY,
    expected: { within: 8, code: ['store-unreachable', 'store-failed'], published: 'what was verified' },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(rig, always({ ...head({ 'content-length': String(2 ** 60) }), ...upTo(1000, hangUp) })),
      ),
  },
  {
    fault: 'an answer has a header of 1 MiB',
    sees: 'S3 model sync failed: http://… does not speak HTTP: HPE_HEADER_OVERFLOW…',
    todo: HINT_PROXY,
    expected: { within: 8, code: 'store-unreachable', published: 'what was verified' },
    run: (rig) => initBehind(rig, ofLargest(rig, always(head({ 'x-noise': 'n'.repeat(1024 * 1024) })))),
  },
  {
    fault: 'the store, or a proxy, speaks HTTP/1.0',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 8, code: 'ok', published: 'everything' },
    run: async (rig) => rig.init({ endpoint: await oldHttp(rig) }),
  },
  {
    fault: 'every connection is closed after one answer, unannounced',
    sees: COMPLETED,
    todo: 'Nothing: it takes longer.',
    quick: true,
    expected: { within: 8, code: 'ok', published: 'everything' },
    run: (rig) =>
      initBehind(rig, () => ({
        body: (answer, response) => {
          response.on('finish', () => setTimeout(() => response.socket?.destroy(), 5));
          answer.pipe(response);
        },
      })),
  },
  {
    fault: 'answers have 100 Continue and 103 Early Hints before them',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 5, code: 'ok', published: 'everything' },
    run: (rig) =>
      initBehind(rig, () => ({
        before: (response) => {
          response.writeContinue();
          response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
        },
      })),
  },
  {
    fault: 'files are answered with a page for people (200, text/html)',
    sees: 'the store answered with another range (wanted bytes …, found all … bytes)',
    todo: HINT_PROXY,
    expected: { within: 8, code: 'store-failed', published: 'what was verified' },
    run: (rig) =>
      initBehind(
        rig,
        of('content', always(saying(200, { 'content-type': 'text/html' }, '<html>Sign in</html>'))),
      ),
  },
];
