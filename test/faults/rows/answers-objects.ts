import { head, inverted, refusal, refusalInChunks, reset, rewritten, upTo } from '../answers.ts';
import type { Row } from '../row.ts';
import { always, COMPLETED, initBehind, NOTHING, of, ofLargest, once } from './shared.ts';

const LEFT_OUT = 'S3 model sync failed: 1 of 12 files could not be restored; the server will download to …';
const REPLACES = 'Nothing: the write-back of a pod whose server has downloaded the file replaces the object.';
const INCOMPLETE = { code: 'restore-incomplete', published: 'what was verified', warnings: 2 } as const;

export const objects: readonly Row[] = [
  {
    fault: 'a file arrives with wrong bytes, once',
    sees: COMPLETED,
    todo: 'Nothing: it is fetched once more, on other connections.',
    quick: true,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) => initBehind(rig, ofLargest(rig, once(rewritten(inverted)))),
  },
  {
    fault: 'a file arrives with wrong bytes, again and again',
    sees: [LEFT_OUT],
    todo: REPLACES,
    quick: true,
    expected: { within: 8, ...INCOMPLETE },
    run: (rig) => initBehind(rig, ofLargest(rig, always(rewritten(inverted)))),
  },
  {
    fault: 'a manifest arrives with wrong bytes, once',
    sees: COMPLETED,
    todo: 'Nothing: it is read once more, on another connection.',
    quick: true,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) => initBehind(rig, of('manifest', once(rewritten(inverted)))),
  },
  {
    fault: 'a connection is reset in the middle of a manifest, twice',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) =>
      initBehind(
        rig,
        of('manifest', (nth) => (nth <= 2 ? upTo(100, reset) : undefined)),
      ),
  },
  {
    fault: 'an object is replaced while it is read, and the store says so (412), once',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(rig, (nth) => (nth === 2 ? refusal(412, 'PreconditionFailed') : undefined)),
      ),
  },
  {
    fault: 'an object is replaced whenever it is read (412)',
    sees: LEFT_OUT,
    todo: 'Find who writes to that key: nothing of model-cache ever modifies an object.',
    expected: { within: 8, ...INCOMPLETE },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(rig, (nth) => (nth % 2 === 0 ? refusal(412, 'PreconditionFailed') : undefined)),
      ),
  },
  {
    fault: 'the store ignores If-Match, and an object is replaced between two ranges of it, once',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(rig, (nth) =>
          nth === 2 ? { ...head({ etag: '"another"' }), ...rewritten(inverted) } : undefined,
        ),
      ),
  },
  {
    fault: 'an object has gone since its manifest was written',
    sees: LEFT_OUT,
    todo: 'Nothing: the next upload of a pod that has the file puts it there again. Find out who deletes objects.',
    quick: true,
    expected: { within: 4, ...INCOMPLETE },
    run: (rig) => initBehind(rig, ofLargest(rig, always(refusal(404, 'NoSuchKey')))),
  },
  {
    fault: 'the same, and the store says so in chunks, as AWS does',
    sees: LEFT_OUT,
    todo: 'The same.',
    expected: { within: 4, ...INCOMPLETE },
    run: (rig) => initBehind(rig, ofLargest(rig, always(refusalInChunks(404, 'NoSuchKey')))),
  },
  {
    fault: 'an object has another size than its manifest says',
    sees: LEFT_OUT,
    todo: REPLACES,
    expected: { within: 4, ...INCOMPLETE },
    run: async (rig) => {
      const bucket = await rig.ownBucket();
      await rig.minio.write(bucket, rig.largest, 'short');
      return rig.init({ bucket });
    },
  },
  {
    fault: 'the bucket holds a folder of nothing, as some tools make for each prefix',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 5, code: 'ok', published: 'everything' },
    run: async (rig) => {
      const bucket = await rig.ownBucket();
      await rig.minio.write(bucket, 'models/hub/', '');
      await rig.minio.write(bucket, 'models/.model-cache/v1/manifests/', '');
      return rig.init({ bucket });
    },
  },
];
