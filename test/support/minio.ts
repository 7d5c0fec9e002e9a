import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { access, constants, copyFile, mkdtemp, mkdir, readFile, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { Agent, get as getByTls } from 'node:https';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListBucketsCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Certificate } from './certificate.ts';
import { freePort } from './free-port.ts';
import { installOnce, runInstallStep } from './tool-cache.ts';

const MODULE = 'github.com/minio/minio';
export const MINIO_VERSION = 'v0.0.0-20260212201848-7aac2a2c5b7c';
const REGION = 'us-east-1';
const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 2_000;
const PORT_ATTEMPTS = 5;

/** A MinIO server of one test, with its own credentials and, unless one was given, its own data folder. */
export type Minio = {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly dataDir: string;
  readonly pid: number;
  /** Makes a bucket, under a fresh name when none is given, and returns its name. */
  createBucket(name?: string): Promise<string>;
  /** The variables with which model-cache uses `bucket`. */
  env(bucket: string): Record<string, string>;
  /** A client of this server; closed by `stop`. */
  client(): S3Client;
  /** Every object of the bucket by key; ETags without their quotes. */
  objects(bucket: string): Promise<Map<string, { size: number; etag: string }>>;
  read(bucket: string, key: string): Promise<Buffer>;
  write(bucket: string, key: string, body: Buffer | string): Promise<void>;
  remove(bucket: string, key: string): Promise<void>;
  /** Ends the server and removes its data folder, unless that was given. */
  stop(): Promise<void>;
};

/**
 * Starts a server that answers; a folder given as `dataDir` is kept, so that a later server finds its objects. With a
 * certificate it speaks TLS.
 */
export async function startMinio(
  options: { dataDir?: string; certified?: Certificate } = {},
): Promise<Minio> {
  const binary = await minioBinary();
  const scratch = await mkdtemp(join(tmpdir(), 'minio-'));
  const dataDir = options.dataDir ? resolve(options.dataDir) : join(scratch, 'data');
  await mkdir(dataDir, { recursive: true });
  if (options.certified) {
    await copyFile(options.certified.certificate, join(scratch, 'public.crt'));
    await copyFile(options.certified.key, join(scratch, 'private.key'));
  }
  for (let attempt = 1; ; attempt += 1) {
    const server = await launch(binary, dataDir, scratch, options.certified);
    try {
      await untilReady(server);
      return operations(server, dataDir, scratch);
    } catch (error) {
      await end(server);
      if (error instanceof PortTaken && attempt < PORT_ATTEMPTS) continue;
      await rm(scratch, { recursive: true, force: true });
      throw error;
    }
  }
}

/** `$MINIO_BIN`, else `minio` on the PATH, else a build of the pinned version in the tool cache. */
export async function minioBinary(): Promise<string> {
  const chosen = process.env['MINIO_BIN'];
  if (chosen) {
    if (await isExecutable(chosen)) return resolve(chosen);
    throw new Error(
      `wanted a MinIO server at MINIO_BIN, found nothing executable at ${chosen}; correct MINIO_BIN, ` +
        'or `unset MINIO_BIN` to have the tests build one',
    );
  }
  const installed = await onPath('minio');
  if (installed) return installed;
  const dir = await installOnce(`minio-${MINIO_VERSION}`, buildMinio);
  return join(dir, 'minio');
}

async function buildMinio(dir: string): Promise<void> {
  const go = await onPath('go');
  if (!go) {
    throw new Error(
      'wanted a MinIO server to test against, found neither MINIO_BIN, nor `minio` on the PATH, nor Go to build it; ' +
        'run `apt-get install golang` (or see https://go.dev/doc/install), or set MINIO_BIN to a minio program',
    );
  }
  process.stderr.write(
    `building ${MODULE}@${MINIO_VERSION} for the tests, once; this takes about 3 minutes\n`,
  );
  await runInstallStep(go, ['install', `${MODULE}@${MINIO_VERSION}`], { ...process.env, GOBIN: dir });
}

type Server = {
  readonly process: ChildProcess;
  readonly endpoint: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string };
  readonly client: S3Client;
  readonly log: string;
  /** Certificates to trust, when it speaks TLS. */
  readonly ca: Buffer | undefined;
  readonly dropAtExit: () => void;
};

class PortTaken extends Error {}

/**
 * Becomes the server, and leaves a watcher that kills it and drops its scratch folder ($0) when this process is gone,
 * however it ended: the write end of the standard input is ours alone, and the kernel closes it.
 */
const DIE_WITH_PARENT =
  'exec 3<&0; (cat <&3; kill -KILL $$ && sleep 1 && rm -rf -- "$0") >/dev/null 2>&1 & exec "$@" 3<&- </dev/null';

async function launch(
  binary: string,
  dataDir: string,
  scratch: string,
  certified: Certificate | undefined,
): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  const credentials = credentialsOf(dataDir);
  const log = join(scratch, 'log');
  const output = openSync(log, 'w');
  const child = spawn(
    'sh',
    ['-c', DIE_WITH_PARENT, scratch, binary, 'server', dataDir, '--address', address, '--certs-dir', scratch],
    {
      stdio: ['pipe', output, output],
      env: {
        PATH: process.env['PATH'],
        HOME: scratch,
        MINIO_ROOT_USER: credentials.accessKeyId,
        MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
      },
    },
  );
  closeSync(output);
  child.unref();
  (child.stdin as Socket).unref();
  child.once('exit', () => child.stdin?.destroy());
  const dropAtExit = () => {
    child.kill('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
  };
  process.once('exit', dropAtExit);
  const ca = certified && readFileSync(certified.certificate);
  const endpoint = `${ca ? 'https' : 'http'}://${address}`;
  const client = new S3Client({
    endpoint,
    region: REGION,
    credentials,
    forcePathStyle: true,
    ...(ca && { requestHandler: { httpsAgent: new Agent({ ca, keepAlive: true }) } }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  return { process: child, endpoint, credentials, client, log, ca, dropAtExit };
}

/** One pair for each data folder, so that no server answers for another one that was given the same port. */
function credentialsOf(dataDir: string): Server['credentials'] {
  const digest = createHash('sha256').update(dataDir).digest('hex');
  return { accessKeyId: `test${digest.slice(0, 16)}`, secretAccessKey: digest.slice(24) };
}

/** Waits until the server is healthy and takes this server's own credentials. */
async function untilReady(server: Server): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await answers(server))) {
    if (hasEnded(server)) {
      const said = await readFile(server.log, 'utf8');
      if (/in use/i.test(said)) throw new PortTaken(said);
      throw new Error(
        `wanted a MinIO server at ${server.endpoint}, found that it ended at once ` +
          `(${server.process.exitCode ?? server.process.signalCode}); its words, or try another MINIO_BIN:\n${said}`,
      );
    }
    if (Date.now() > deadline) {
      throw new Error(
        `wanted MinIO to answer at ${server.endpoint} within ${READY_WITHIN_MS / 1000} s, found silence; ` +
          `its words:\n${await readFile(server.log, 'utf8')}`,
      );
    }
    await sleep(25);
  }
}

async function answers(server: Server): Promise<boolean> {
  if ((await healthStatus(server)) !== 200) return false;
  // The very first request sometimes hangs for 5 s, although a second one is answered at once.
  const abortSignal = AbortSignal.timeout(500);
  return server.client.send(new ListBucketsCommand({}), { abortSignal }).then(
    () => true,
    () => false,
  );
}

/** Asked without an agent: a connection kept alive would delay the server's end. */
function healthStatus({ endpoint, ca }: Server): Promise<number | undefined> {
  const ask = ca ? getByTls : get;
  return new Promise((done) => {
    ask(`${endpoint}/minio/health/ready`, { agent: false, timeout: 2_000, ca }, (response) => {
      response.resume();
      done(response.statusCode);
    })
      .on('timeout', () => done(undefined))
      .on('error', () => done(undefined));
  });
}

async function end(server: Server): Promise<void> {
  server.client.destroy();
  process.removeListener('exit', server.dropAtExit);
  if (hasEnded(server)) return;
  const ended = new Promise((done) => server.process.once('exit', done));
  server.process.kill('SIGTERM');
  const impatience = setTimeout(() => server.process.kill('SIGKILL'), STOP_WITHIN_MS);
  await ended;
  clearTimeout(impatience);
}

function hasEnded(server: Server): boolean {
  return server.process.exitCode !== null || server.process.signalCode !== null;
}

function operations(server: Server, dataDir: string, scratch: string): Minio {
  const { endpoint, client, credentials } = server;
  return {
    endpoint,
    ...credentials,
    dataDir,
    pid: server.process.pid ?? 0,
    async createBucket(name = `test-${randomBytes(4).toString('hex')}`) {
      await client.send(new CreateBucketCommand({ Bucket: name }));
      return name;
    },
    env: (bucket) => ({
      MODEL_CACHE_STORE: `s3://${bucket}/models`,
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: REGION,
    }),
    client: () => client,
    async objects(bucket) {
      const found = new Map<string, { size: number; etag: string }>();
      for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket })) {
        for (const { Key, Size, ETag } of page.Contents ?? []) {
          found.set(Key ?? '', { size: Size ?? 0, etag: (ETag ?? '').replaceAll('"', '') });
        }
      }
      return found;
    },
    async read(bucket, key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    async write(bucket, key, body) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(body) }));
    },
    async remove(bucket, key) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    },
    async stop() {
      await end(server);
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

async function onPath(program: string): Promise<string | undefined> {
  for (const dir of (process.env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(dir || '.', program);
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
