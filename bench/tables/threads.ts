import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { PROGRAM } from '../../test/support/program.ts';
import { environmentOf } from '../contestants/model-cache.ts';
import { F5, SMALL_FILES } from '../data-sets.ts';
import { processorSeconds } from '../measure/processors.ts';
import { threadTimesOf } from '../measure/thread-times.ts';
import { profileOf, type CpuProfile, type ThreadProfile } from '../report/cpu-profile.ts';
import { formatThreads, type RunTimes } from '../report/thread-table.ts';
import type { Table } from '../report/table.ts';
import type { Site } from '../stores/site.ts';
import { at } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';
import {
  behindLink,
  FAR,
  linkWords,
  NEAR,
  onMinio,
  onMinioWithTls,
  withNginx,
  type OverLink,
  type Placed,
} from './places.ts';

/** What is run, over and over, with an empty place for what comes of it. */
interface Job {
  readonly site: Site;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
}

type Look = (placed: Placed, args?: readonly string[]) => Promise<string>;
type Work = readonly [name: string, run: (place: Workplace, look: Look) => Promise<string>];

const notRun = (why: string): string => `Not run: ${why}.`;

const WORKS: readonly Work[] = [
  ['The F5 set from MinIO', async (place, look) => look(await onMinio(place))],
  ['The F5 set from MinIO, locked', lockedWork],
  [
    'The F5 set from nginx',
    (place, look) => withNginx(place, ({ plain: site }, stored) => look({ site, stored }), notRun),
  ],
  ['The F5 set from MinIO over TLS', async (place, look) => look(await onMinioWithTls(place))],
  [
    'The F5 set from nginx over TLS',
    (place, look) => withNginx(place, ({ tls: site }, stored) => look({ site, stored }), notRun),
  ],
  overLink('The F5 set', NEAR),
  overLink('A tenth of the F5 set', FAR),
  ['The small files from MinIO', async (place, look) => look(await onMinio(place, SMALL_FILES))],
];

/** Ours alone: what each of its threads took, and what it was busy with. */
export async function threads(place: Workplace): Promise<readonly Table[]> {
  if (!place.options.tools.includes('model-cache')) return [];
  const text = [
    'Ours alone, one run each for the times and one under `node --cpu-prof` for what they were spent on. A thread that is neither on a processor nor ready for one waits: ' +
      'for bytes, for a disk, or for another thread.',
  ];
  for (const [name, run] of WORKS)
    text.push(`**${name}**`, await run(place, (placed, args) => lookAtRestore(place, placed, args)));
  text.push('**Upload of the F5 set to MinIO**', await lookAtUpload(place));
  return [{ title: 'Where the time goes', text, columns: [], rows: [] }];
}

async function lockedWork(place: Workplace, look: Look): Promise<string> {
  const placed = await onMinio(place);
  const lock = join(place.scratch.dir, 'lock');
  writeFileSync(lock, placed.stored.lock);
  return look(placed, ['init', '--locked', lock]);
}

function overLink(what: string, over: OverLink): Work {
  const run: Work[1] = (place, look) => behindLink(place, over, look, notRun);
  return [`${what} over ${linkWords(over.link)}`, run];
}

async function lookAtRestore(
  place: Workplace,
  { site, stored }: Placed,
  args: readonly string[] = ['init'],
): Promise<string> {
  return looked(place, async (scratch) => {
    const dir = mkdtempSync(join(scratch, 'restored-'));
    return { site, args, env: environmentOf(at(site, stored), dir) };
  });
}

async function lookAtUpload(place: Workplace): Promise<string> {
  const set = place.set(F5);
  const site = await place.minio.plain();
  return looked(place, async () => {
    rmSync(join(set.dir, '.model-cache'), { recursive: true, force: true });
    return { site, args: ['upload'], env: environmentOf(await place.minio.emptyBucket(set), set.dir) };
  });
}

async function looked(place: Workplace, prepare: (scratch: string) => Promise<Job>): Promise<string> {
  const scratch = mkdtempSync(join(place.scratch.dir, 'looked-at-'));
  try {
    const times = await timed(await prepare(scratch));
    const profiles = await profiled(await prepare(scratch), join(scratch, 'profiles'));
    return formatThreads(times, profiles);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function timed({ site, args, env }: Job): Promise<RunTimes> {
  const before = { server: processorSeconds(site.serverPids()), link: processorSeconds(site.linkPids) };
  const start = performance.now();
  const threads = await runToEnd(site, [PROGRAM, ...args], env);
  return {
    wall: (performance.now() - start) / 1000,
    serverCpu: processorSeconds(site.serverPids()) - before.server,
    linkCpu: processorSeconds(site.linkPids) - before.link,
    processors: cpus().length,
    threads,
  };
}

async function profiled({ site, args, env }: Job, folder: string): Promise<readonly ThreadProfile[]> {
  await runToEnd(site, ['--cpu-prof', `--cpu-prof-dir=${folder}`, PROGRAM, ...args], env);
  return readdirSync(folder).map((name) =>
    profileOf(JSON.parse(readFileSync(join(folder, name), 'utf8')) as CpuProfile),
  );
}

async function runToEnd(
  site: Site,
  args: readonly string[],
  env: Record<string, string>,
): Promise<RunTimes['threads']> {
  const [program = '', ...rest] = site.from([process.execPath, ...args]);
  const child = spawn(program, rest, { env, stdio: 'ignore' });
  const threads = await threadTimesOf(child);
  if (child.exitCode !== 0)
    throw new Error(`wanted model-cache to succeed under observation, found the exit code ${child.exitCode}`);
  return threads;
}
