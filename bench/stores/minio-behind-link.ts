import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Certificate } from '../../test/support/certificate.ts';
import { minioBinary } from '../../test/support/minio.ts';
import { CLIENT_TIMEOUT_MS, SERVER_ADDRESS, type Link } from '../link.ts';
import type { Site } from './site.ts';

const PORT = 9000;
const READY_WITHIN_MS = 20_000;

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A MinIO at the far end of the link, with the buckets of a folder that no other server serves; under TLS, if certified. */
export async function startMinioBehind(
  link: Link,
  dataDir: string,
  keys: Keys,
  certified?: Certificate,
): Promise<{ site: Site; stop(): Promise<void> }> {
  const scratch = mkdtempSync(join(dirname(dataDir), 'minio-behind-link-'));
  if (certified !== undefined) {
    copyFileSync(certified.certificate, join(scratch, 'public.crt'));
    copyFileSync(certified.key, join(scratch, 'private.key'));
  }
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
  const caFile = certified?.certificate;
  const endpoint = `${caFile === undefined ? 'http' : 'https'}://${SERVER_ADDRESS}:${PORT}`;
  try {
    await untilReady(link, endpoint, caFile);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    site: {
      endpoint,
      caFile,
      serverPids: () => [child.pid ?? 0],
      linkPids: [link.pid],
      from: (argv) => link.atClient(argv),
    },
    stop,
  };
}

async function untilReady(link: Link, endpoint: string, caFile: string | undefined): Promise<void> {
  const ask = `fetch('${endpoint}/minio/health/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`;
  const [program = '', ...args] = link.atClient([process.execPath, '-e', ask]);
  const env = { ...process.env, ...(caFile !== undefined && { NODE_EXTRA_CA_CERTS: caFile }) };
  const deadline = Date.now() + READY_WITHIN_MS;
  while (spawnSync(program, args, { env, timeout: CLIENT_TIMEOUT_MS }).status !== 0) {
    if (Date.now() > deadline)
      throw new Error(`wanted MinIO to answer at ${endpoint}, found silence behind the link`);
    await sleep(100);
  }
}
