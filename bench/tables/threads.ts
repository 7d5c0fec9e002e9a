import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM } from '../../test/support/program.ts';
import { environmentOf } from '../contestants/model-cache.ts';
import { F5, SMALL_FILES, type Shape } from '../data-sets.ts';
import { formatThreads, timeOf, type CpuProfile } from '../report/cpu-profile.ts';
import type { Table } from '../report/table.ts';
import type { Site } from '../stores/site.ts';
import { at } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';

interface Work {
  readonly name: string;
  readonly shape: Shape;
  readonly reach: (place: Workplace) => Promise<Site>;
  readonly isLocked?: boolean;
}

const plain: Work['reach'] = (place) => place.minio.plain();

const WORKS: readonly Work[] = [
  { name: 'The F5 set, with full SHA-256', shape: F5, reach: plain },
  { name: 'The F5 set, locked', shape: F5, reach: plain, isLocked: true },
  { name: 'The F5 set over TLS, with full SHA-256', shape: F5, reach: (place) => place.minio.tls() },
  { name: 'The small files', shape: SMALL_FILES, reach: plain },
];

/** Ours alone: what each of its threads was busy with, in one run under Node's profiler. */
export async function threads(place: Workplace): Promise<readonly Table[]> {
  if (!place.options.tools.includes('model-cache')) return [];
  const text = [
    'Restores from MinIO, one run each under `node --cpu-prof`, which makes them slower. A thread that is ready and gets no processor counts as busy.',
  ];
  for (const work of WORKS) text.push(`**${work.name}**`, formatThreads(await profiled(place, work)));
  return [{ title: 'Where the time goes', text, columns: [], rows: [] }];
}

async function profiled(
  place: Workplace,
  { shape, reach, isLocked = false }: Work,
): Promise<ReturnType<typeof timeOf>[]> {
  const stored = await place.minio.stored(place.set(shape));
  const store = at(await reach(place), stored);
  const scratch = mkdtempSync(join(place.scratch.dir, 'profiled-'));
  const [dir, profiles, lock] = ['restored', 'profiles', 'lock'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  try {
    writeFileSync(lock, store.lock);
    const args = isLocked ? ['init', '--locked', lock] : ['init'];
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--cpu-prof', `--cpu-prof-dir=${profiles}`, PROGRAM, ...args],
      { env: environmentOf(store, dir), encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`wanted a restore under the profiler to succeed, found:\n${stderr}`);
    return readdirSync(profiles).map((name) =>
      timeOf(JSON.parse(readFileSync(join(profiles, name), 'utf8')) as CpuProfile),
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
