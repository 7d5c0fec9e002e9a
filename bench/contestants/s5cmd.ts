import { join } from 'node:path';
import { blobsOf, HUB_PREFIX } from '../stores/stored-set.ts';
import type { Contestant, Job } from './contestant.ts';
import { peerEnvironment } from './peer-environment.ts';

export interface Flags {
  /** Before the name of the operation, and after it. */
  readonly general?: readonly string[];
  readonly copy?: readonly string[];
}

/** Hand-picked, not swept. */
export const TUNED: Flags = {
  general: ['--numworkers', '16'],
  copy: ['--concurrency', '8', '--part-size', '16'],
};
export const TUNED_FOR_SMALL: Flags = { general: ['--numworkers', '64'] };
export const MANY_STREAMS: Flags = { copy: ['--concurrency', '64', '--part-size', '5'] };

export function restore(name: string, { general = [], copy = [] }: Flags = {}): Contestant {
  return running(name, general, ({ dir, store }) => [
    'cp',
    ...copy,
    `s3://${store.bucket}/${HUB_PREFIX}*`,
    `${join(dir, 'hub')}/`,
  ]);
}

export const sync = running('s5cmd sync', [], ({ dir, store }) => [
  'sync',
  `s3://${store.bucket}/${HUB_PREFIX}*`,
  `${join(dir, 'hub')}/`,
]);

export function upload(name: string, { general = [], copy = [] }: Flags = {}): Contestant {
  return running(name, general, ({ dir, store }) => {
    const blobs = blobsOf(store.set);
    return ['cp', ...copy, `${join(dir, 'hub', blobs)}/`, `s3://${store.bucket}/${HUB_PREFIX}${blobs}/`];
  });
}

function running(
  name: string,
  general: readonly string[],
  operation: (job: Job) => readonly string[],
): Contestant {
  return {
    name,
    tool: 's5cmd',
    command: (job) => ({
      argv: [
        job.programs.peer('s5cmd'),
        '--endpoint-url',
        job.store.endpoint,
        '--log',
        'error',
        ...general,
        ...operation(job),
      ],
      env: peerEnvironment(job.store),
    }),
  };
}
