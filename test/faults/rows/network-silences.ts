import { fallSilent, silence, upTo } from '../answers.ts';
import type { Row } from '../row.ts';
import {
  A_BIT,
  always,
  COMPLETED,
  IMPATIENT,
  initBehind,
  MiB,
  of,
  ofLargest,
  once,
  STALLED,
  TO_STALL,
} from './shared.ts';

const BYTES_STALLED = 'S3 model sync failed: no byte of …/blobs/… came for …';

export const silences: readonly Row[] = [
  {
    fault: 'the listing of the bucket is never answered',
    sees: STALLED,
    todo: TO_STALL,
    expected: { within: 3.5, code: 'store-stalled', published: 'nothing' },
    run: (rig) => initBehind(rig, of('list', always(silence)), IMPATIENT),
  },
  {
    fault: 'a manifest is never answered',
    sees: STALLED,
    todo: TO_STALL,
    expected: { within: 3.5, code: 'store-stalled', published: 'nothing' },
    run: (rig) => initBehind(rig, of('manifest', always(silence)), IMPATIENT),
  },
  {
    fault: 'a manifest stops in the middle',
    sees: [STALLED, 'S3 model sync failed: no byte of …/manifests/… came for …'],
    todo: TO_STALL,
    expected: { within: 3.5, code: 'store-stalled', published: 'nothing' },
    run: (rig) => initBehind(rig, of('manifest', always(upTo(100, fallSilent))), IMPATIENT),
  },
  ...(['list', 'manifest'] as const).map((kind): Row => ({
    fault: `one request for ${kind === 'list' ? 'the listing' : 'a manifest'} is never answered, and others are`,
    sees: COMPLETED,
    todo: 'Nothing: it is asked for once more, on another connection.',
    quick: true,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) => initBehind(rig, of(kind, once(silence)), { args: ['--stall', '6s'] }),
  })),
  {
    fault: 'files are asked for and never answered',
    sees: STALLED,
    todo: TO_STALL,
    expected: { within: 4, code: 'store-stalled', published: 'nothing' },
    run: (rig) => initBehind(rig, of('content', always(silence)), IMPATIENT),
  },
  {
    fault: 'the answers begin, and their bodies never come',
    sees: [STALLED, BYTES_STALLED],
    todo: TO_STALL,
    expected: { within: 4, code: 'store-stalled', published: 'what was verified' },
    run: (rig) => initBehind(rig, of('content', always(upTo(0, fallSilent))), IMPATIENT),
  },
  {
    fault: 'a large file stops in the middle, on every connection',
    sees: [STALLED, BYTES_STALLED],
    todo: TO_STALL,
    expected: { within: 16, code: 'store-stalled', published: 'what was verified' },
    run: (rig) => initBehind(rig, ofLargest(rig, always(upTo(A_BIT, fallSilent))), IMPATIENT),
  },
  {
    fault: 'a connection falls silent in the middle of a file, and others are well',
    sees: COMPLETED,
    todo: 'Nothing: what is missing is asked for again, on another connection.',
    quick: true,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) => initBehind(rig, ofLargest(rig, once(upTo(MiB, fallSilent))), { args: ['--stall', '6s'] }),
  },
  {
    fault: 'one request is never answered, and others are well',
    sees: COMPLETED,
    todo: 'Nothing: it is asked for again, on another connection.',
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) =>
      initBehind(
        rig,
        ofLargest(rig, (nth) => (nth === 2 ? silence : undefined)),
        { args: ['--stall', '6s'] },
      ),
  },
];
