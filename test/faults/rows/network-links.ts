import { setTimeout as sleep } from 'node:timers/promises';
import { hangUp, reset, upTo } from '../answers.ts';
import type { Row } from '../row.ts';
import {
  A_BIT,
  always,
  CANNOT_REACH,
  COMPLETED,
  initBehind,
  MiB,
  NOTHING,
  ofLargest,
  once,
  STALLED,
  TO_STALL,
} from './shared.ts';

export const links: readonly Row[] = [
  {
    fault: 'a connection is reset in the middle of a file, once',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: (rig) => initBehind(rig, ofLargest(rig, once(upTo(MiB, reset)))),
  },
  {
    fault: 'connections are reset in the middle of a file, again and again',
    sees: [`${CANNOT_REACH}: ECONNRESET…`, 'the connection ended in the middle of …/blobs/…'],
    todo: 'Look at what stands between: a proxy with a limit, a flapping link.',
    expected: { within: 12, code: 'store-unreachable', published: 'what was verified' },
    run: (rig) => initBehind(rig, ofLargest(rig, always(upTo(A_BIT, reset)))),
  },
  {
    fault: 'connections are closed in the middle of a file, again and again',
    sees: [`${CANNOT_REACH}: ECONNRESET…`, 'the connection ended in the middle of …/blobs/…'],
    todo: 'Look at what stands between: a proxy with a limit, a flapping link.',
    expected: { within: 12, code: 'store-unreachable', published: 'what was verified' },
    run: (rig) => initBehind(rig, ofLargest(rig, always(upTo(A_BIT, hangUp)))),
  },
  {
    fault: 'no connection lives longer than 6 MB',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 12, code: 'ok', published: 'everything' },
    run: async (rig) => {
      const { endpoint } = await rig.proxy([{ type: 'limit_data', attributes: { bytes: 6e6 } }]);
      return rig.init({ endpoint });
    },
  },
  {
    fault: 'connections take 2 s to close',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 6, code: 'ok', published: 'everything' },
    run: async (rig) => {
      const { endpoint } = await rig.proxy([{ type: 'slow_close', attributes: { delay: 2000 } }]);
      return rig.init({ endpoint });
    },
  },
  {
    fault: 'every answer takes 300 ms longer than it should',
    sees: COMPLETED,
    todo: 'Nothing: it takes longer. A bucket nearer to the pods is faster.',
    quick: true,
    expected: { within: 10, code: 'ok', published: 'everything' },
    run: async (rig) => {
      const { endpoint } = await rig.proxy([{ type: 'latency', attributes: { latency: 300 } }]);
      return rig.init({ endpoint });
    },
  },
  {
    fault: 'bytes come in tiny packets',
    sees: COMPLETED,
    todo: NOTHING,
    expected: { within: 20, code: 'ok', published: 'everything' },
    run: async (rig) => {
      const attributes = { average_size: 512, size_variation: 256, delay: 10 };
      const { endpoint } = await rig.proxy([{ type: 'slicer', attributes }]);
      return rig.init({ endpoint });
    },
  },
  {
    fault: 'the link is slower than --min-speed',
    sees: 'S3 model sync failed: slower than --min-speed over 30 s (wanted 5.0 MB/s, found 0.… MB/s)',
    todo: 'Find the faster way, or lower `--min-speed` where the Hub is slower still.',
    expected: { within: 35, code: 'store-slow', published: 'what was verified' },
    run: async (rig) => {
      const { endpoint } = await rig.proxy([{ type: 'bandwidth', attributes: { rate: 10 } }]);
      return rig.init({ endpoint });
    },
  },
  {
    fault: 'everything together takes longer than --timeout',
    sees: 'S3 model sync failed: not done after 3 s (--timeout); what is here stays; give it longer with --timeout',
    todo: 'Give it longer with `--timeout`; what is here stays, and the next start goes on from there.',
    quick: true,
    expected: { within: 4, code: 'store-timeout', published: 'what was verified' },
    run: async (rig) => {
      const { endpoint } = await rig.proxy([{ type: 'bandwidth', attributes: { rate: 100 } }]);
      return rig.init({ endpoint, args: ['--timeout', '3s'] });
    },
  },
  {
    fault: 'a proxy dies in the middle, and never comes back',
    sees: `${CANNOT_REACH}: ECONNREFUSED`,
    todo: 'Look after the proxy; what was verified by then is used.',
    expected: { within: 10, code: 'store-unreachable', published: 'what was verified' },
    run: async (rig) => {
      const proxy = await rig.proxy([{ type: 'bandwidth', attributes: { rate: 4000 } }]);
      const running = await rig.start('init', { endpoint: proxy.endpoint });
      await running.said(/^Starting S3 model sync/);
      await sleep(500);
      await proxy.die();
      return running.ended;
    },
  },
  {
    fault: 'the store freezes in the middle',
    sees: STALLED,
    todo: TO_STALL,
    expected: { within: 10, code: 'store-stalled', published: 'what was verified' },
    run: async (rig) => {
      const minio = await rig.ownMinio();
      const { endpoint } = await rig.proxy(
        // Of each connection. The proxy takes what was asked for, so not all of it may have been.
        [{ type: 'bandwidth', attributes: { rate: 3000 } }],
        minio.endpoint,
      );
      const args = ['--stall', '2s', '--connections', '2'];
      const running = await rig.start('init', { minio, endpoint, args });
      await running.said(/^Starting S3 model sync/);
      await sleep(500);
      process.kill(minio.pid, 'SIGSTOP');
      rig.later(() => process.kill(minio.pid, 'SIGCONT'));
      return running.ended;
    },
  },
];
