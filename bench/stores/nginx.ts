import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import type { Certificate } from '../../test/support/certificate.ts';
import { freePort } from '../../test/support/free-port.ts';
import { listingOf, type Listed } from './canned-listing.ts';
import { localSite, type Site } from './site.ts';
import { HUB_PREFIX, type Unplaced } from './stored-set.ts';

const READY_WITHIN_MS = 5_000;
const MANIFESTS = 'models/.model-cache/v1/manifests/';

/** A store that costs next to nothing: files by sendfile, and two listings that were written beforehand. */
export interface Nginx {
  readonly plain: Site;
  readonly tls: Site;
  stop(): Promise<void>;
}

/** Undefined: it can be run here. */
export function whyNoNginx(): string | undefined {
  const isThere = spawnSync('nginx', ['-v']).error === undefined;
  return isThere ? undefined : 'there is no nginx: run `apt-get install nginx-light`';
}

/** Serves what is in the bucket of `store`, and answers ListObjectsV2 for what the peers and our `init` ask. */
export async function startNginx(
  scratch: string,
  store: Unplaced,
  client: S3Client,
  certified: Certificate,
): Promise<Nginx> {
  const dir = mkdtempSync(join(scratch, 'nginx-'));
  const objects = await layOut(join(dir, 'root', store.bucket), store, client);
  for (const [name, prefix] of [
    ['hub', HUB_PREFIX],
    ['manifests', MANIFESTS],
  ] as const)
    writeFileSync(join(dir, 'root', `${name}.xml`), listingOf(store.bucket, prefix, objects));
  const [plainPort, tlsPort] = [await freePort(), await freePort()];
  writeFileSync(join(dir, 'nginx.conf'), configuration(dir, store.bucket, plainPort, tlsPort, certified));
  // It ends with this process, however that ends.
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'TERM', 'nginx', '-p', dir, '-e', 'error.log', '-c', 'nginx.conf'],
    { stdio: 'ignore' },
  );
  const ended = new Promise((done) => child.once('exit', done));
  await untilReady(plainPort, dir);
  const pids = (): readonly number[] => [child.pid ?? 0, ...childrenOf(child.pid ?? 0)];
  return {
    plain: localSite(`http://127.0.0.1:${plainPort}`, pids),
    tls: localSite(`https://127.0.0.1:${tlsPort}`, pids, certified.certificate),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The objects under their keys: links to the set's own files, and copies of the few small ones of the format. */
async function layOut(root: string, { bucket, set }: Unplaced, client: S3Client): Promise<readonly Listed[]> {
  const objects: Listed[] = [];
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket })) {
    for (const { Key: key = '' } of page.Contents ?? []) {
      const path = join(root, key);
      mkdirSync(dirname(path), { recursive: true });
      const ofSet = key.startsWith(HUB_PREFIX) ? key.slice(HUB_PREFIX.length) : undefined;
      if (ofSet !== undefined && set.files.has(ofSet)) symlinkSync(join(set.dir, 'hub', ofSet), path);
      else writeFileSync(path, await contentOf(client, bucket, key));
      const { size, mtimeMs } = statSync(path);
      // As nginx itself makes it.
      const etag = `"${Math.floor(mtimeMs / 1000).toString(16)}-${size.toString(16)}"`;
      objects.push({ key, size, etag, modified: new Date(mtimeMs) });
    }
  }
  return objects;
}

async function contentOf(client: S3Client, bucket: string, key: string): Promise<Uint8Array> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToByteArray()) ?? new Uint8Array();
}

function configuration(
  dir: string,
  bucket: string,
  plainPort: number,
  tlsPort: number,
  { certificate, key }: Certificate,
): string {
  const bodies = join(dir, createHash('sha256').update(dir).digest('hex').slice(0, 8));
  return `daemon off;
worker_processes auto;
pid ${dir}/pid;
error_log ${dir}/error.log;
${process.geteuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_body_temp_path ${bodies}; proxy_temp_path ${bodies}; fastcgi_temp_path ${bodies};
  uwsgi_temp_path ${bodies}; scgi_temp_path ${bodies};
  types { application/xml xml; }
  default_type binary/octet-stream;
  map $arg_prefix $listing {
    default "";
    "~^models(/|%2F)hub" /hub.xml;
    "~^models(/|%2F)\\.model-cache" /manifests.xml;
  }
  server {
    listen 127.0.0.1:${plainPort};
    listen 127.0.0.1:${tlsPort} ssl;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    root ${dir}/root;
    location = /${bucket} { try_files $listing =404; }
    location = /${bucket}/ { try_files $listing =404; }
  }
}
`;
}

async function untilReady(port: number, dir: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await answers(port))) {
    if (Date.now() > deadline)
      throw new Error(`wanted nginx to answer, found:\n${readFileSync(join(dir, 'error.log'), 'utf8')}`);
    await sleep(20);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    get({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.resume();
      done(true);
    }).on('error', () => done(false));
  });
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}
