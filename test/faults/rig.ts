import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CopyObjectCommand } from '@aws-sdk/client-s3';
import type { ScriptedServer } from '../store/scripted-s3.ts';
import { startMinio, type Minio } from '../support/minio.ts';
import type { Proxy, Toxic } from '../support/toxiproxy.ts';
import type { Bench } from './bench.ts';
import { copyCache } from './original.ts';
import { variablesOf, type Plane } from './plane.ts';
import { startProgram, type Ran, type Running } from './running.ts';
import { startSpoiledStore, type Spoil } from './spoiled-store.ts';

/** How a row has the program run; what is left out is as it should be. */
export interface RunOptions {
  readonly args?: readonly string[];
  /** Added to those of the store; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** When left out, the one of all rows. */
  readonly minio?: Minio;
  /** Where it is asked: a proxy, say. */
  readonly endpoint?: string;
  readonly bucket?: string;
  readonly dir?: string;
  /** A cache with all that may come into the dir. */
  readonly original?: string;
  readonly wrapper?: readonly string[];
  /** What the server does when it has said that it runs: a shell script. */
  readonly serverDoes?: string;
  /** Another server than a shell, which writes its variables to the file of its last argument. */
  readonly server?: readonly string[];
  readonly cwd?: string;
  /** More of what must not be found in anything that is said or written. */
  readonly secrets?: readonly string[];
}

/**
 * Lends one row what it needs, and clears it away when the row is over. `init` and `upload` run the program to its end;
 * `start` gives a run that something can happen to in the middle.
 */
export class Rig {
  readonly minio: Minio;
  /** A cache with everything that the bucket holds. Nobody writes to it. */
  readonly original: string;
  /** Filled from the original; nobody writes to it. */
  readonly bucket: string;
  /** The key of the object that has several ranges, and parts. */
  readonly largest: string;
  /** A folder of the row's own. */
  readonly scratch: string;
  /** The dir of the row's runs, in its folder; not made yet. */
  readonly dir: string;
  readonly #bench: Bench;
  readonly #plane: Plane;
  readonly #cleanups: (() => unknown)[] = [];

  private constructor(bench: Bench, plane: Plane, scratch: string) {
    this.#bench = bench;
    this.#plane = plane;
    this.scratch = scratch;
    this.dir = join(scratch, 'models');
    this.minio = bench.minio;
    this.original = bench.original;
    this.bucket = bench.bucket;
    this.largest = bench.largest;
  }

  /** A server that is still there when `work` is over is no fault of the program's: everything of the rig is killed then. */
  static async lend<T>(bench: Bench, plane: Plane, work: (rig: Rig) => Promise<T>): Promise<T> {
    const scratch = await mkdtemp(join(bench.scratch, 'row-'));
    await chmod(scratch, 0o755);
    const rig = new Rig(bench, plane, scratch);
    rig.later(() => rm(scratch, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
    try {
      return await work(rig);
    } finally {
      for (const cleanup of rig.#cleanups.toReversed()) await cleanup();
    }
  }

  /** For when the row is over: the last one first. */
  later(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  init(options: RunOptions = {}): Promise<Ran> {
    return this.start('init', options).then(({ ended }) => ended);
  }

  /** Of a copy of the original, into a bucket of its own, unless told otherwise. */
  async upload(options: RunOptions = {}): Promise<Ran> {
    return (await this.start('upload', options)).ended;
  }

  async start(command: 'init' | 'upload', options: RunOptions = {}): Promise<Running> {
    const isUpload = command === 'upload';
    const { minio = this.minio, original = this.original, secrets = [] } = options;
    const { dir = isUpload ? this.copyOfOriginal() : this.dir } = options;
    const bucket = options.bucket ?? (isUpload ? await minio.createBucket() : this.bucket);
    const { endpoint, accessKeyId, secretAccessKey } = minio;
    const env = {
      ...minio.env(bucket),
      AWS_ENDPOINT_URL: options.endpoint ?? endpoint,
      ...variablesOf(this.#plane),
      ...options.env,
    };
    const notes = await mkdtemp(join(this.scratch, 'notes-'));
    // The program, or the server, may be another user's.
    await chmod(notes, 0o777);
    const running = startProgram({ ...options, command, dir, env: withoutUndefined(env) }, notes, {
      original,
      minio,
      bucket,
      secrets: [accessKeyId, secretAccessKey, ...secrets],
    });
    this.later(() => running.killAll());
    return running;
  }

  /** In front of the store, or of another endpoint; see support/toxiproxy.ts. */
  async proxy(toxics: readonly Toxic[] = [], endpoint = this.minio.endpoint): Promise<Proxy> {
    const proxy = await this.#bench.toxiproxy.proxyTo(endpoint);
    this.later(() => proxy.die().catch(() => undefined));
    for (const toxic of toxics) await proxy.add(toxic);
    return proxy;
  }

  /** An S3 server that passes everything on to the store, but for what `spoil` says. */
  async spoiled(spoil: Spoil): Promise<ScriptedServer> {
    const server = await startSpoiledStore(this.minio.endpoint, spoil);
    this.later(() => server.stop());
    return server;
  }

  /** A bucket with everything that the shared one holds, to be written to. */
  async ownBucket(): Promise<string> {
    const bucket = await this.minio.createBucket();
    for (const key of (await this.minio.objects(this.bucket)).keys()) {
      const CopySource = `${this.bucket}/${encodeURIComponent(key)}`;
      await this.minio.client().send(new CopyObjectCommand({ Bucket: bucket, Key: key, CopySource }));
    }
    return bucket;
  }

  /** A store that can be stopped without the other rows, and has a filled bucket of the shared one's name. */
  async ownMinio(): Promise<Minio> {
    const dataDir = join(this.scratch, 'minio');
    copyCache(join(this.minio.dataDir, this.bucket), join(dataDir, this.bucket));
    const minio = await startMinio({ dataDir });
    this.later(() => minio.stop());
    return minio;
  }

  copyOfOriginal(): string {
    const copy = join(this.scratch, 'copy');
    copyCache(this.original, copy);
    return copy;
  }
}

function withoutUndefined(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
