import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { minioBinary } from '../../test/support/minio.ts';
import { CLIENT_TIMEOUT_MS, SERVER_ADDRESS, type Link } from '../link.ts';
import type { Site } from './site.ts';

const PORT = 9000;
const READY_WITHIN_MS = 20_000;

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A MinIO at the far end of the link, with the buckets of a folder that no other server serves. */
export async function startMinioBehind(
  link: Link,
  dataDir: string,
  keys: Keys,
): Promise<{ site: Site; stop(): Promise<void> }> {
  const scratch = mkdtempSync(join(dirname(dataDir), 'minio-behind-link-'));
  const server = ['server', dataDir, '--address', `${SERVER_ADDRESS}:${PORT}`, '--certs-dir', scratch];
  // It ends with this process, however that ends.
  const argv = link.atServer(['setpriv', '--pdeathsig', 'KILL', await minioBinary(), ...server]);
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'],
      HOME: scratch,
      MINIO_ROOT_USER: keys.accessKeyId,
      MINIO_ROOT_PASSWORD: keys.secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
  });
  const ended = new Promise((done) => child.once('exit', done));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(scratch, { recursive: true, force: true });
  };
  const endpoint = `http://${SERVER_ADDRESS}:${PORT}`;
  try {
    await untilReady(link, endpoint);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    site: {
      endpoint,
      serverPids: () => [child.pid ?? 0],
      linkPids: [link.pid],
      from: (argv) => link.atClient(argv),
    },
    stop,
  };
}

async function untilReady(link: Link, endpoint: string): Promise<void> {
  const ask = `fetch('${endpoint}/minio/health/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`;
  const [program = '', ...args] = link.atClient([process.execPath, '-e', ask]);
  const deadline = Date.now() + READY_WITHIN_MS;
  while (spawnSync(program, args, { timeout: CLIENT_TIMEOUT_MS }).status !== 0) {
    if (Date.now() > deadline)
      throw new Error(`wanted MinIO to answer at ${endpoint}, found silence behind the link`);
    await sleep(100);
  }
}
