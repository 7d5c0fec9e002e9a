import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Command, Contestant } from '../contestants/contestant.ts';
import * as modelCache from '../contestants/model-cache.ts';
import { F5, manyFiles, SMALL_FILES } from '../data-sets.ts';
import type { Entrant } from '../measure/race.ts';
import { BuiltSources } from '../measure/built-sources.ts';
import { heapsIn, watchingHeaps, type Heap } from '../measure/heaps.ts';
import { mostMemoryOf } from '../measure/memory-kinds.ts';
import { processorSeconds } from '../measure/processors.ts';
import { threadTimesOf } from '../measure/thread-times.ts';
import { profileOf, type CpuProfile, type ThreadProfile } from '../report/cpu-profile.ts';
import { formatHeaps, formatMemory } from '../report/memory-words.ts';
import { formatThreads, type RunTimes } from '../report/thread-table.ts';
import type { Table } from '../report/table.ts';
import { FreshMinio } from '../stores/fresh-minio.ts';
import type { Site } from '../stores/site.ts';
import { at } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';
import { lendComplete } from './complete-dir.ts';
import { findingAllThere, restoring, uploading } from './entrants.ts';
import {
  behindLink,
  FAR,
  linkWords,
  NEAR,
  notRunWords,
  onMinio,
  onMinioWithTls,
  withNginx,
  type OverLink,
  type Placed,
} from './places.ts';

/** A start is over in a tenth of a second. */
const SAMPLE_US = 250;

type Look = (placed: Placed, contestant?: Contestant) => Promise<string>;
type Work = readonly [name: string, run: (place: Workplace, look: Look) => Promise<string>];

const WORKS: readonly Work[] = [
  ['The F5 set from MinIO', async (place, look) => look(await onMinio(place))],
  [
    'The F5 set from MinIO, locked',
    async (place, look) => look(await onMinio(place), modelCache.lockedRestore),
  ],
  [
    'The F5 set from nginx',
    (place, look) => withNginx(place, ({ plain: site }, stored) => look({ site, stored }), notRunWords),
  ],
  ['The F5 set from MinIO over TLS', async (place, look) => look(await onMinioWithTls(place))],
  [
    'The F5 set from nginx over TLS',
    (place, look) => withNginx(place, ({ tls: site }, stored) => look({ site, stored }), notRunWords),
  ],
  overLink('The F5 set', NEAR),
  overLink('A tenth of the F5 set', FAR),
  ['The small files from MinIO', async (place, look) => look(await onMinio(place, SMALL_FILES))],
  ['10 000 small files from MinIO', async (place, look) => look(await onMinio(place, manyFiles(10_000)))],
];

/** Ours alone: what each of its threads took, and what it was busy with. */
export async function threads(place: Workplace): Promise<readonly Table[]> {
  if (!place.options.tools.includes('model-cache')) return [];
  const text = [
    'Ours alone, one run each for the times, one under `node --cpu-prof` for what they were spent on, one for the memory, and one with `bench/measure/heap-watch.cjs` for what V8 has of it; a name with a slash is a folder of `src/`, and shares below 3 % are left out. A thread that is neither on a ' +
      'processor nor ready for one waits: for bytes, for a disk, or for another thread.',
  ];
  const look: Look = ({ site, stored }, contestant = modelCache.restore) =>
    lookAt(place, site, restoring(place, contestant, at(site, stored)));
  for (const [name, run] of WORKS) text.push(`**${name}**`, await run(place, look));
  text.push('**Nothing to do for the small files**', await secondRun(place));
  const minio = new FreshMinio(place.scratch.dir);
  const upload = uploading(place, modelCache.upload, place.set(F5), minio);
  text.push('**Upload of the F5 set to MinIO**', await lookAt(place, minio.site, upload));
  return [{ title: 'Where the time goes', text, columns: [], rows: [] }];
}

async function secondRun(place: Workplace): Promise<string> {
  const { site, stored } = await onMinio(place, SMALL_FILES);
  const store = at(site, stored);
  return lendComplete(place, site, store, modelCache.restore, (dir) =>
    lookAt(place, site, findingAllThere(place, modelCache.restore, store, dir)),
  );
}

function overLink(what: string, over: OverLink): Work {
  const run: Work[1] = (place, look) => behindLink(place, over, look, notRunWords);
  return [`${what} over ${linkWords(over)}`, run];
}

/** Once for the times, once for what they were spent on, once for the memory, and once for what V8 has of it. */
async function lookAt(place: Workplace, site: Site, entrant: Entrant): Promise<string> {
  const folder = mkdtempSync(join(place.scratch.dir, 'profiles-'));
  try {
    const times = await once(entrant, (command) => timed(site, command));
    const profiles = await once(entrant, (command) => profiled(site, command, folder));
    const memory = await once(entrant, ({ argv, env }) => toTheEnd(site, argv, env, mostMemoryOf));
    const heaps = await once(entrant, (command) => heapsOf(site, command, folder));
    return [formatThreads(times, profiles), `${formatMemory(memory)} ${formatHeaps(heaps)}`].join('\n\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function once<T>(entrant: Entrant, run: (command: Command) => Promise<T>): Promise<T> {
  try {
    return await run(await entrant.prepare());
  } finally {
    await entrant.tidy();
  }
}

async function timed(site: Site, { argv, env }: Command): Promise<RunTimes> {
  const before = { server: processorSeconds(site.serverPids()), link: processorSeconds(site.linkPids) };
  const start = performance.now();
  const threads = await toTheEnd(site, argv, env, threadTimesOf);
  return {
    wall: (performance.now() - start) / 1000,
    serverCpu: processorSeconds(site.serverPids()) - before.server,
    linkCpu: processorSeconds(site.linkPids) - before.link,
    processors: cpus().length,
    threads,
  };
}

async function profiled(site: Site, command: Command, folder: string): Promise<readonly ThreadProfile[]> {
  const flags = ['--cpu-prof', `--cpu-prof-interval=${SAMPLE_US}`, `--cpu-prof-dir=${folder}`];
  await underNode(flags, site, command);
  const sources = new BuiltSources();
  return readdirSync(folder).map((name) =>
    profileOf(JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile, (frame) =>
      sources.of(frame),
    ),
  );
}

async function heapsOf(site: Site, command: Command, scratch: string): Promise<readonly Heap[]> {
  const folder = mkdtempSync(join(scratch, 'heaps-'));
  await underNode(watchingHeaps(folder), site, command);
  return heapsIn(folder);
}

/** Runs a program of Node's with more flags than it is run with; what is found of it is for the caller to read. */
async function underNode(flags: readonly string[], site: Site, { argv, env }: Command): Promise<void> {
  const [node = '', ...rest] = argv;
  await toTheEnd(site, [node, ...flags, ...rest], env, threadTimesOf);
}

async function toTheEnd<T>(
  site: Site,
  argv: readonly string[],
  env: Command['env'],
  follow: (child: ChildProcess) => Promise<T>,
): Promise<T> {
  const [program = '', ...args] = site.from(argv);
  const child = spawn(program, args, { env, stdio: 'ignore' });
  const found = await follow(child);
  if (child.exitCode !== 0)
    throw new Error(`wanted model-cache to succeed under observation, found the exit code ${child.exitCode}`);
  return found;
}
