import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestants/contestant.ts';
import { checkEveryByte } from '../measure/every-byte.ts';
import { measure } from '../measure/run.ts';
import type { Site } from '../stores/site.ts';
import type { StoredSet } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';

/** Lends a folder that has everything, as `contestant` has restored it. */
export async function lendComplete<T>(
  place: Workplace,
  site: Site,
  store: StoredSet,
  contestant: Contestant,
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = join(place.scratch.dir, 'complete');
  mkdirSync(dir);
  try {
    const command = await contestant.command({ programs: place.programs, store, dir });
    const { run } = await measure(command, place.conditions(site));
    if (run.failure !== undefined) throw new Error(`${contestant.name}: ${run.failure}`);
    checkEveryByte(join(dir, 'hub'), store.set);
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
