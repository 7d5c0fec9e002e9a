import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSet } from '../data-sets.ts';
import { MinioHost } from './minio-host.ts';
import { localSite, type Site } from './site.ts';
import type { StoredSet } from './stored-set.ts';

/**
 * A MinIO of its own for each run that writes. What is deleted MinIO removes minutes later: one that went on would fill the
 * memory with what earlier runs have sent, be slower from run to run, and fail in the end.
 */
export class FreshMinio {
  /** Of whichever is running; its endpoint is in what `begin` returns. */
  readonly site: Site;
  readonly #scratch: string;
  #folder: string | undefined;
  #host: MinioHost | undefined;
  #running: Site | undefined;

  constructor(scratch: string) {
    this.#scratch = scratch;
    this.site = localSite('', () => this.#running?.serverPids() ?? []);
  }

  /** An empty bucket of a server that has nothing else. */
  async begin(set: DataSet): Promise<StoredSet> {
    this.#folder = mkdtempSync(join(this.#scratch, 'fresh-'));
    this.#host = new MinioHost(this.#folder);
    this.#running = await this.#host.plain();
    return this.#host.emptyBucket(set);
  }

  async end(): Promise<void> {
    this.#running = undefined;
    await this.#host?.stop();
    this.#host = undefined;
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true });
    this.#folder = undefined;
  }
}
