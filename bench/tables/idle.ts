import * as aws from '../contestants/aws.ts';
import type { Command, Contestant } from '../contestants/contestant.ts';
import * as modelCache from '../contestants/model-cache.ts';
import * as rclone from '../contestants/rclone.ts';
import * as s5cmd from '../contestants/s5cmd.ts';
import { F5, SMALL_FILES, type Shape } from '../data-sets.ts';
import type { Row } from '../measure/race.ts';
import { commandWords } from '../report/command-words.ts';
import type { Table } from '../report/table.ts';
import type { Site } from '../stores/site.ts';
import { at, type StoredSet } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';
import { lendComplete } from './complete-dir.ts';
import { findingAllThere } from './entrants.ts';

/** For one figure: such a run is over within few ticks of the kernel's accounts. */
const REPEATS = 10;

const SECOND_RUNS: readonly Contestant[] = [
  s5cmd.sync,
  rclone.restore('rclone'),
  rclone.restore('rclone by size', rclone.BY_SIZE),
  aws.sync,
];

/** A second run, when everything is there; and what it takes to start at all. */
export async function idle(place: Workplace): Promise<readonly Table[]> {
  const tables = [];
  for (const shape of [F5, SMALL_FILES]) tables.push(await secondRun(place, shape));
  return [...tables, await startUp(place)];
}

async function secondRun(place: Workplace, shape: Shape): Promise<Table> {
  const stored = await place.minio.stored(place.set(shape));
  const site = await place.minio.plain();
  const store = at(site, stored);
  const { length } = store.set.sizes;
  return {
    title: `Nothing to do: ${length} files, ${store.set.bytes} bytes`,
    text: [`A second run into a folder that has everything. Each figure is a share of ${REPEATS} runs.`],
    columns: ['best peer'],
    rows: [
      ...(await again(place, site, store, [modelCache.restore], [modelCache.restore])),
      ...(await again(place, site, store, FIRST_RUNS, SECOND_RUNS)),
    ],
  };
}

/** Who fills the folder for the peers: rclone also looks at times, and only it sets those that it wants to see. */
const FIRST_RUNS: readonly Contestant[] = [rclone.restore('rclone'), s5cmd.restore('s5cmd'), aws.restore];

async function again(
  place: Workplace,
  site: Site,
  store: StoredSet,
  firstRuns: readonly Contestant[],
  contestants: readonly Contestant[],
): Promise<readonly Row[]> {
  const [first] = place.chosen(firstRuns);
  if (first === undefined) return [];
  return lendComplete(place, site, store, first, (dir) =>
    place.race(
      place.chosen(contestants).map((contestant) => findingAllThere(place, contestant, store, dir)),
      site,
      { repeats: REPEATS },
    ),
  );
}

async function startUp(place: Workplace): Promise<Table> {
  const site = await place.minio.plain();
  const { programs } = place;
  const contestants = [modelCache.version, modelCache.emptyNode, ...[1, 2, 3].map(modelCache.idleThreads)];
  const entrants = place.chosen(contestants).map((contestant) => ({
    name: contestant.name,
    tool: contestant.tool,
    bytes: 0,
    prepare: async () => contestant.command({ programs, store: NO_STORE, dir: place.scratch.dir }),
    check: async () => undefined,
    inWords: (command: Command) => commandWords(command, NO_STORE, place.scratch.dir),
    tidy: async () => undefined,
  }));
  const rows = await place.race(entrants, site, { repeats: REPEATS });
  return {
    title: 'Start-up',
    text: [
      `What the program takes to say its version, and Node to do nothing, alone or with threads that do nothing; a share of ${REPEATS} runs.`,
    ],
    columns: [],
    rows,
  };
}

const NO_STORE: StoredSet = {
  set: { name: 'none', sizes: [], dir: '', bytes: 0, files: new Map() },
  endpoint: '',
  region: '',
  bucket: '',
  accessKeyId: '',
  secretAccessKey: '',
  lock: '',
};
