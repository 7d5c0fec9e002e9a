import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentFor, PROGRAM } from '../../test/support/program.ts';
import { accessVariables, type StoredSet } from '../stores/stored-set.ts';
import type { Contestant, Job } from './contestant.ts';

export const restore = running('model-cache', () => ['init']);

/** As the C reader asks. */
export const unsignedRestore = running('model-cache, unsigned', () => ['init', '--no-sign-request']);

/** The listing and the manifests are read, and what there is to do is printed. */
export const plan = running('model-cache --dry-run', () => ['init', '--dry-run']);

/** Only what a lock file of this bucket names, proved by it. */
export const lockedRestore = running('model-cache, locked', ({ dir, store }) => {
  const file = `${dir}.lock`;
  writeFileSync(file, store.lock);
  return ['init', '--locked', file];
});

export const upload = running('model-cache', () => ['upload']);

export const version: Contestant = {
  name: 'model-cache --version',
  tool: 'model-cache',
  command: () => ({ argv: [process.execPath, PROGRAM, '--version'], env: environmentFor() }),
};

export const emptyNode: Contestant = {
  name: "node -e ''",
  tool: 'node',
  command: () => ({ argv: [process.execPath, '-e', ''], env: environmentFor() }),
};

/** Less memory than that no program of so many threads has. */
export function idleThreads(count: number): Contestant {
  return {
    name: `node, ${count} idle ${count === 1 ? 'thread' : 'threads'}`,
    tool: 'node',
    command: () => ({
      argv: [process.execPath, join(import.meta.dirname, 'idle-threads.js'), String(count)],
      env: environmentFor(),
    }),
  };
}

/** The variables with which the program uses the bucket of `store`. */
export function environmentOf(store: StoredSet, dir: string): Record<string, string> {
  return environmentFor({
    ...accessVariables(store),
    MODEL_CACHE_STORE: `s3://${store.bucket}/models`,
    MODEL_CACHE_DIR: dir,
    AWS_ENDPOINT_URL: store.endpoint,
  });
}

function running(name: string, args: (job: Job) => readonly string[]): Contestant {
  return {
    name,
    tool: 'model-cache',
    command: (job) => ({
      argv: [process.execPath, PROGRAM, ...args(job)],
      env: environmentOf(job.store, job.dir),
    }),
  };
}
