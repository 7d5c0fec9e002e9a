import { join } from 'node:path';
import { blobsOf, HUB_PREFIX } from '../stores/stored-set.ts';
import type { Contestant, Job } from './contestant.ts';
import { peerEnvironment } from './peer-environment.ts';

export const restore = running('aws s3 cp', ({ dir, store }) => [
  'cp',
  '--recursive',
  '--quiet',
  `s3://${store.bucket}/${HUB_PREFIX}`,
  join(dir, 'hub'),
]);

export const sync = running('aws s3 sync', ({ dir, store }) => [
  'sync',
  '--only-show-errors',
  `s3://${store.bucket}/${HUB_PREFIX}`,
  join(dir, 'hub'),
]);

export const upload = running('aws s3 cp', ({ dir, store }) => {
  const blobs = blobsOf(store.set);
  return [
    'cp',
    '--recursive',
    '--quiet',
    join(dir, 'hub', blobs),
    `s3://${store.bucket}/${HUB_PREFIX}${blobs}`,
  ];
});

/** boto3's own `download_file` with its defaults, one object after the other. */
export const boto3Restore: Contestant = {
  name: 'boto3',
  tool: 'boto3',
  command: ({ dir, programs, store }) => ({
    argv: [
      programs.peer('python'),
      join(import.meta.dirname, 'boto3-restore.py'),
      store.endpoint,
      store.bucket,
      HUB_PREFIX,
      join(dir, 'hub'),
    ],
    env: peerEnvironment(store),
  }),
};

function running(name: string, operation: (job: Job) => readonly string[]): Contestant {
  return {
    name,
    tool: 'aws',
    command: (job) => ({
      argv: [
        job.programs.peer('python'),
        '-m',
        'awscli',
        '--endpoint-url',
        job.store.endpoint,
        's3',
        ...operation(job),
      ],
      env: peerEnvironment(job.store),
    }),
  };
}
