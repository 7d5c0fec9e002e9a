import { rmSync } from 'node:fs';
import * as modelCache from '../contestants/model-cache.ts';
import { manyFiles, type Shape } from '../data-sets.ts';
import type { Row } from '../measure/race.ts';
import type { Table } from '../report/table.ts';
import { scratchFor } from '../scratch.ts';
import { MinioHost } from '../stores/minio-host.ts';
import { at } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';
import { restoring } from './entrants.ts';

const GIGABYTES = [1, 2, 4, 8];
const FILES = [100, 1000, 10_000];

const SHAPES: readonly (Shape & { readonly title: string })[] = [
  ...GIGABYTES.map((count) => ({
    name: `${count}-gb`,
    title: `1 file of ${count} GB`,
    sizes: [count * 1e9],
  })),
  ...FILES.map((count) => Object.assign(manyFiles(count), { title: `${count} files of 64 KiB` })),
];

/** Ours alone: memory must not grow with the work, and time no faster than it. */
export async function growth(place: Workplace): Promise<readonly Table[]> {
  if (!place.options.tools.includes('model-cache')) return [];
  await place.clear();
  const rows: Row[] = [];
  const onDisk: string[] = [];
  for (const shape of SHAPES) {
    const { row, isInMemory } = await grown(place, shape);
    rows.push({ ...row, name: shape.title });
    if (!isInMemory) onDisk.push(shape.title);
  }
  const text = ['Cold restores from MinIO, with full SHA-256.'];
  if (onDisk.length > 0) text.push(`The bucket was on disk, for want of memory: ${onDisk.join(', ')}.`);
  return [{ title: 'Growth', text, columns: ['GB/s'], rows, isSeries: true }];
}

async function grown(
  place: Workplace,
  shape: Shape,
): Promise<{ readonly row: Row; readonly isInMemory: boolean }> {
  // The set and its bucket; then, without the set, what is restored.
  const room = shape.sizes.reduce((sum, size) => sum + size, 0) * 2;
  const scratch = scratchFor(place.options.isQuick ? 0 : room);
  const minio = new MinioHost(scratch.dir);
  try {
    const set = place.makeSet(scratch.dir, shape);
    const stored = await minio.stored(set);
    rmSync(set.dir, { recursive: true });
    const site = await minio.plain();
    const [row] = await place.race([restoring(place, modelCache.restore, at(site, stored))], site);
    if (row === undefined) throw new Error('one entrant makes one row');
    return { row, isInMemory: scratch.isInMemory };
  } finally {
    await minio.stop();
    scratch.remove();
  }
}
