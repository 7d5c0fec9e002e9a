import { startForwardProxy } from '../../support/forward-proxy.ts';
import { blackHole, listener } from '../listeners.ts';
import type { Row } from '../row.ts';
import { CANNOT_REACH, COMPLETED, IMPATIENT, STALLED, TO_STALL } from './shared.ts';

/** Nobody but a proxy knows this name. */
const BEHIND_IT = 'http://behind-the-proxy.invalid:9000';

export const connections: readonly Row[] = [
  {
    fault: 'the endpoint refuses connections',
    sees: 'S3 model sync failed: cannot reach http://…: ECONNREFUSED…; check the endpoint and the network; the server will download to …',
    todo: 'Check `--endpoint-url`, and whether the store is up.',
    quick: true,
    expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
    run: (rig) => rig.init({ endpoint: 'http://127.0.0.1:1' }),
  },
  {
    fault: "the endpoint's name does not exist",
    sees: [
      'cannot reach http://no-such-host.invalid:9000: ENOTFOUND…; check the endpoint and the network',
      'cannot reach http://no-such-host.invalid:9000: EAI_AGAIN…; check the endpoint and the network',
    ],
    todo: 'Check `--endpoint-url`, and the DNS of the pod.',
    quick: true,
    expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
    run: (rig) => rig.init({ endpoint: 'http://no-such-host.invalid:9000' }),
  },
  {
    fault: 'packets to the endpoint are dropped, as by a firewall that says nothing',
    sees: `${CANNOT_REACH}: TimeoutError…; check the endpoint and the network`,
    todo: "Open the way: a pod's network policy, a security group, a proxy that must be gone through.",
    expected: { within: 20, code: 'store-unreachable', published: 'nothing' },
    run: async (rig) => rig.init({ endpoint: `http://${await blackHole(rig)}` }),
  },
  {
    fault: 'packets to the endpoint are dropped, and --stall is shorter than the tries',
    sees: STALLED,
    todo: "Open the way: a pod's network policy, a security group, a proxy that must be gone through.",
    expected: { within: 3.5, code: 'store-stalled', published: 'nothing' },
    run: async (rig) => rig.init({ endpoint: `http://${await blackHole(rig)}`, ...IMPATIENT }),
  },
  {
    fault: 'connections are made, and nobody ever answers (half-open)',
    sees: STALLED,
    todo: TO_STALL,
    quick: true,
    expected: { within: 3.5, code: 'store-stalled', published: 'nothing' },
    run: async (rig) => {
      const { endpoint } = await rig.proxy([{ type: 'timeout', attributes: { timeout: 0 } }]);
      return rig.init({ endpoint, ...IMPATIENT });
    },
  },
  {
    fault: 'connections are reset as soon as they are made',
    sees: `${CANNOT_REACH}: ECONNRESET…; check the endpoint and the network`,
    todo: 'Look at what stands in front of the store: it listens, and does not let this pod in.',
    quick: true,
    expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
    run: async (rig) => {
      const { endpoint } = await rig.proxy([{ type: 'reset_peer', attributes: { timeout: 0 } }]);
      return rig.init({ endpoint });
    },
  },
  {
    fault: 'connections are closed as soon as they are made',
    sees: CANNOT_REACH,
    todo: 'Look at what stands in front of the store: it listens, and does not let this pod in.',
    expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
    run: async (rig) => rig.init({ endpoint: `http://${await listener(rig, (socket) => socket.destroy())}` }),
  },
  {
    fault: 'the store can be reached through the proxy of HTTP_PROXY only',
    sees: COMPLETED,
    todo: 'Nothing. `NO_PROXY` names hosts that are asked directly, which is faster.',
    quick: true,
    expected: { within: 5, code: 'ok', published: 'everything' },
    run: async (rig) => {
      const proxy = await startForwardProxy(rig.minio.endpoint);
      rig.later(() => proxy.stop());
      return rig.init({ endpoint: BEHIND_IT, env: { HTTP_PROXY: proxy.endpoint } });
    },
  },
  {
    fault: 'HTTP_PROXY names a proxy that is not there',
    sees: `${CANNOT_REACH}: ECONNREFUSED…; check the endpoint and the network`,
    todo: 'Correct `HTTP_PROXY`, or name the store in `NO_PROXY`.',
    quick: true,
    expected: { within: 3, code: 'store-unreachable', published: 'nothing' },
    run: (rig) => {
      const env = { HTTP_PROXY: 'http://user:hidden-proxy-word@127.0.0.1:1' };
      return rig.init({ endpoint: BEHIND_IT, env, secrets: ['hidden-proxy-word'] });
    },
  },
  {
    fault: 'http_proxy names a proxy without a scheme',
    sees: COMPLETED,
    todo: 'Nothing.',
    expected: { within: 5, code: 'ok', published: 'everything' },
    run: async (rig) => {
      const proxy = await startForwardProxy(rig.minio.endpoint);
      rig.later(() => proxy.stop());
      return rig.init({ endpoint: BEHIND_IT, env: { http_proxy: new URL(proxy.endpoint).host } });
    },
  },
  {
    fault: 'HTTPS_PROXY has a password with a slash that is not escaped, so that it is no address',
    sees: 'HTTPS_PROXY: not a proxy (wanted http://HOST:PORT, found http://...); the store is asked without it',
    todo: 'Correct `HTTPS_PROXY`: `%2F` is a slash.',
    quick: true,
    expected: { within: 5, code: 'ok', published: 'everything', warnings: 1 },
    run: (rig) => {
      const env = { HTTPS_PROXY: 'http://user:hidden/proxy-word@127.0.0.1:1' };
      return rig.init({ env, secrets: ['hidden/proxy-word', 'proxy-word'] });
    },
  },
];
