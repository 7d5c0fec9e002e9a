import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from '../contestants/contestant.ts';
import { LimitUpload } from '../contestants/limit-put.ts';
import * as limit from '../contestants/limit.ts';
import * as modelCache from '../contestants/model-cache.ts';
import type { DataSet } from '../data-sets.ts';
import { checkEveryByte } from '../measure/every-byte.ts';
import type { Entrant, Row } from '../measure/race.ts';
import { measure } from '../measure/run.ts';
import { commandWords } from '../report/command-words.ts';
import { summarize } from '../report/statistics.ts';
import { wall } from '../report/table.ts';
import type { FreshMinio } from '../stores/fresh-minio.ts';
import { at, type StoredSet } from '../stores/stored-set.ts';
import type { Limits, Workplace } from '../workplace.ts';
import type { Placed } from './places.ts';

/** Those of the contestants that were asked for, each into an empty folder. */
export function restoreRace(
  place: Workplace,
  { site, stored }: Placed,
  contestants: readonly Contestant[],
  limits?: Limits,
): Promise<readonly Row[]> {
  const store = at(site, stored);
  const entrants = place.chosen(contestants).map((contestant) => restoring(place, contestant, store));
  return place.race(entrants, site, limits);
}

/** Restores a set into an empty folder. */
export function restoring(place: Workplace, contestant: Contestant, store: StoredSet): Entrant {
  const { name, tool } = contestant;
  const dir = join(place.scratch.dir, 'restored');
  const remove = (): void => rmSync(dir, { recursive: true, force: true });
  return {
    name,
    tool,
    bytes: store.set.bytes,
    async prepare() {
      remove();
      mkdirSync(dir);
      return contestant.command({ programs: place.programs, store, dir });
    },
    async check() {
      checkEveryByte(join(dir, 'hub'), store.set);
    },
    inWords: (command) => commandWords(command, store, dir),
    async tidy() {
      remove();
    },
  };
}

/** Finds out what there is to do, and restores nothing. */
function planning(place: Workplace, contestant: Contestant, store: StoredSet): Entrant {
  const check = async (): Promise<void> => {
    const files = readdirSync(join(place.scratch.dir, 'restored'), { recursive: true });
    if (files.length > 0) throw new Error(`something was restored: ${files.join(', ')}`);
  };
  return { ...restoring(place, contestant, store), bytes: 0, check };
}

/** Looks at a folder that has everything. */
export function findingAllThere(
  place: Workplace,
  contestant: Contestant,
  store: StoredSet,
  dir: string,
): Entrant {
  const { name, tool } = contestant;
  return {
    name,
    tool,
    bytes: 0,
    prepare: async () => contestant.command({ programs: place.programs, store, dir }),
    check: async () => checkEveryByte(join(dir, 'hub'), store.set),
    inWords: (command) => commandWords(command, store, dir),
    tidy: async () => undefined,
  };
}

/** Sends a set into an empty bucket. Every byte is then read back by the C reader. */
export function uploading(
  place: Workplace,
  contestant: Contestant,
  set: DataSet,
  minio: FreshMinio,
): Entrant {
  const { name, tool } = contestant;
  const dir = join(place.scratch.dir, 'read-back');
  let store: StoredSet | undefined;
  return {
    name,
    tool,
    bytes: set.bytes,
    async prepare() {
      rmSync(join(set.dir, '.model-cache'), { recursive: true, force: true });
      store = await minio.begin(set);
      return contestant.command({ programs: place.programs, store, dir: set.dir });
    },
    async check(output) {
      if (store === undefined) throw new Error('nothing was prepared');
      if (contestant instanceof LimitUpload) await contestant.complete(store, output);
      const command = await limit.restore().command({ programs: place.programs, store, dir });
      const { run } = await measure(command, place.conditions(minio.site));
      if (run.failure !== undefined) throw new Error(`the bucket cannot be read back: ${run.failure}`);
      checkEveryByte(join(dir, 'hub'), set);
    },
    inWords(command) {
      if (store === undefined) throw new Error('nothing was prepared');
      return commandWords(command, store, set.dir);
    },
    async tidy() {
      rmSync(dir, { recursive: true, force: true });
      await minio.end();
    },
  };
}

/** In words what a start does before it fetches anything: it is no rival. */
export async function beforeTheFirstByte(
  place: Workplace,
  { site, stored }: Placed,
): Promise<readonly string[]> {
  const store = at(site, stored);
  const entrants = place.chosen([modelCache.plan]).map((contestant) => planning(place, contestant, store));
  const rows = await place.race(entrants, site);
  return rows.flatMap((row) => {
    const summary = summarize(row);
    return summary === undefined
      ? []
      : [
          `\`init --dry-run\`, which lists, reads the manifests, plans, and fetches nothing: ${wall(summary)} s.`,
        ];
  });
}
