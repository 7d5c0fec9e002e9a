import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DataSet } from '../data-sets.ts';
import { MinioHost } from './minio-host.ts';
import { localSite, type Site } from './site.ts';
import type { StoredSet } from './stored-set.ts';

/**
 * A MinIO of its own for each run that writes. One that went on would still hold what earlier runs have sent: MinIO
 * removes it minutes later, and the memory that it is in has its price before it is all.
 */
export class FreshMinio {
  /** For all runs. */
  readonly site: Site;
  readonly #scratch: string;
  #running: { readonly folder: string; readonly host: MinioHost; readonly site: Site } | undefined;

  constructor(scratch: string) {
    this.#scratch = scratch;
    this.site = localSite('', () => this.#running?.site.serverPids() ?? []);
  }

  /** An empty bucket of a server that has nothing else. */
  async begin(set: DataSet): Promise<StoredSet> {
    const folder = mkdtempSync(join(this.#scratch, 'fresh-'));
    const host = new MinioHost(folder);
    this.#running = { folder, host, site: await host.plain() };
    return host.emptyBucket(set);
  }

  async end(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.host.stop();
    if (running !== undefined) rmSync(running.folder, { recursive: true });
  }
}
