import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { installOnce, runInstallStep } from './tool-cache.ts';

const MODULE = 'github.com/Shopify/toxiproxy/v2/cmd/server';
const VERSION = 'v2.12.0';
const READY_WITHIN_MS = 10_000;

/** What is done to the bytes of a proxy's connections. `toxicity` is the share of connections; 1 when left out. */
export type Toxic = { readonly stream?: 'upstream' | 'downstream'; readonly toxicity?: number } & (
  | { readonly type: 'latency'; readonly attributes: { readonly latency: number; readonly jitter?: number } }
  /** KB/s. */
  | { readonly type: 'bandwidth'; readonly attributes: { readonly rate: number } }
  | { readonly type: 'slow_close'; readonly attributes: { readonly delay: number } }
  /** Nothing goes through, and after so many ms the connection is closed; 0: it never is. */
  | { readonly type: 'timeout'; readonly attributes: { readonly timeout: number } }
  | { readonly type: 'reset_peer'; readonly attributes: { readonly timeout: number } }
  | {
      readonly type: 'slicer';
      readonly attributes: {
        readonly average_size: number;
        readonly size_variation: number;
        /** Microseconds. */
        readonly delay: number;
      };
    }
  | { readonly type: 'limit_data'; readonly attributes: { readonly bytes: number } }
);

/** A TCP proxy in front of a store. Signatures stay valid: the Host header goes through as it came. */
export interface Proxy {
  readonly endpoint: string;
  /** For every connection from now on, and those that are open. Returns how to take it back. */
  add(toxic: Toxic): Promise<() => Promise<void>>;
  /** Closes its connections and its port. */
  die(): Promise<void>;
}

export interface Toxiproxy {
  proxyTo(endpoint: string): Promise<Proxy>;
  stop(): Promise<void>;
}

/** A build of the pinned version, in the tool cache. */
export async function toxiproxyBinary(): Promise<string> {
  const dir = await installOnce(`toxiproxy-${VERSION}`, async (aside) => {
    process.stderr.write(`building ${MODULE}@${VERSION} for the tests, once\n`);
    await runInstallStep('go', ['install', `${MODULE}@${VERSION}`], { ...process.env, GOBIN: aside });
  });
  return join(dir, 'server');
}

export async function startToxiproxy(): Promise<Toxiproxy> {
  const binary = await toxiproxyBinary();
  const port = await freePort();
  const child = spawn('sh', ['-c', DIE_WITH_PARENT, binary, '-host', '127.0.0.1', '-port', String(port)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.unref();
  (child.stdin as Socket).unref();
  const api = `http://127.0.0.1:${port}`;
  await untilItAnswers(api, child);
  return {
    proxyTo: (endpoint) => makeProxy(api, endpoint),
    async stop() {
      const ended = new Promise((done) => child.once('exit', done));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
}

/** The write end of the standard input is ours alone, and the kernel closes it when this process is gone. */
const DIE_WITH_PARENT =
  'exec 3<&0; (cat <&3; kill -KILL $$) >/dev/null 2>&1 & exec "$0" "$@" 3<&- </dev/null';

async function makeProxy(api: string, endpoint: string): Promise<Proxy> {
  const name = randomUUID();
  const proxy = { name, listen: '127.0.0.1:0', upstream: new URL(endpoint).host, enabled: true };
  const made = (await ask(api, 'POST', '/proxies', proxy)) as { listen: string };
  return {
    endpoint: `http://${made.listen}`,
    async add({ stream = 'downstream', toxicity = 1, ...toxic }) {
      const id = randomUUID();
      const body = { name: id, stream, toxicity, ...toxic };
      await ask(api, 'POST', `/proxies/${name}/toxics`, body);
      return async () => void (await ask(api, 'DELETE', `/proxies/${name}/toxics/${id}`));
    },
    die: async () => void (await ask(api, 'DELETE', `/proxies/${name}`)),
  };
}

async function ask(api: string, method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${api}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`wanted toxiproxy to take ${method} ${path}, found: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

async function untilItAnswers(api: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (
    !(await ask(api, 'GET', '/version').then(
      () => true,
      () => false,
    ))
  ) {
    if (Date.now() > deadline || child.exitCode !== null)
      throw new Error(`wanted toxiproxy to answer at ${api}, found silence`);
    await sleep(20);
  }
}
