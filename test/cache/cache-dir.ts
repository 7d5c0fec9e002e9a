import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { State } from '../../src/cache/state.ts';
import { scanCache, type ScanOptions } from '../../src/cache/scan.ts';
import type { Inventory } from '../../src/model/inventory.ts';

export const COMMIT = 'c0ffee'.padEnd(40, '0');
export const ROOT_ONLY = process.geteuid?.() === 0 ? false : 'only root may give files away';

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function gitSha1(bytes: Buffer | string): string {
  const size = Buffer.byteLength(bytes);
  return createHash('sha1').update(`blob ${size}\0`).update(bytes).digest('hex');
}

/** A folder of this test alone, and what is put into it. Cleared by whoever owns `parent`. */
export class CacheDir {
  readonly path: string;

  constructor(parent: string = tmpdir()) {
    this.path = mkdtempSync(join(parent, 'dir-'));
  }

  at(path: string): string {
    return join(this.path, path);
  }

  /** With the `.model-cache` folder that a probed dir has. */
  prepared(): this {
    mkdirSync(this.at('.model-cache/partial'), { recursive: true });
    return this;
  }

  file(path: string, content: Buffer | string = ''): string {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), content);
    return path;
  }

  link(path: string, target: string): string {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    symlinkSync(target, this.at(path));
    return path;
  }

  /** A repo as huggingface_hub leaves it: a weight, a small file, their links, and main. Returns the blobs' names. */
  repo(folder = 'hub/models--org--name'): { readonly weights: string; readonly config: string } {
    const [weights, config] = [sha256('weights'), gitSha1('config')];
    this.file(`${folder}/blobs/${weights}`, 'weights');
    this.file(`${folder}/blobs/${config}`, 'config');
    this.link(`${folder}/snapshots/${COMMIT}/sub/model.bin`, `../../../blobs/${weights}`);
    this.link(`${folder}/snapshots/${COMMIT}/config.yaml`, `../../blobs/${config}`);
    this.file(`${folder}/refs/main`, COMMIT);
    return { weights, config };
  }

  scan(options: Partial<ScanOptions> = {}): Promise<Inventory> {
    return scanCache(this.path, { also: [], state: State.empty(), reuse: [], ...options });
  }
}

/** What this process does meanwhile, `uid` does; for root. */
export function asUser<T>(uid: number, work: () => T): T {
  process.seteuid?.(uid);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
  }
}

/** Tree → paths of its files, links and refs. */
export function contentsOf(inventory: Inventory): Record<string, readonly string[]> {
  return Object.fromEntries(
    inventory.trees.map(({ tree, files, links, refs }) => [
      tree,
      [...files.keys(), ...links.keys(), ...refs.keys()].toSorted(),
    ]),
  );
}
