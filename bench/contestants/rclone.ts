import { join } from 'node:path';
import { blobsOf, HUB_PREFIX } from '../stores/stored-set.ts';
import type { Contestant, Job } from './contestant.ts';
import { peerEnvironment } from './peer-environment.ts';

const NO_EXTRA_REQUESTS = ['--fast-list', '--ignore-checksum', '--s3-no-check-bucket', '--s3-no-head'];

/** Hand-picked, not swept. */
export const TUNED: readonly string[] = [
  '--transfers=8',
  '--multi-thread-streams=8',
  '--multi-thread-cutoff=32M',
  '--multi-thread-chunk-size=16M',
  '--multi-thread-write-buffer-size=1M',
  ...NO_EXTRA_REQUESTS,
];
export const TUNED_FOR_SMALL: readonly string[] = ['--transfers=64', '--checkers=64', ...NO_EXTRA_REQUESTS];
export const MANY_STREAMS: readonly string[] = [
  '--transfers=4',
  '--multi-thread-streams=64',
  '--multi-thread-cutoff=4M',
  '--multi-thread-chunk-size=1M',
  ...NO_EXTRA_REQUESTS,
];
export const TUNED_FOR_UPLOAD: readonly string[] = [
  '--transfers=4',
  '--s3-upload-concurrency=8',
  '--s3-chunk-size=16M',
  '--s3-disable-checksum',
  '--s3-no-check-bucket',
  '--s3-no-head',
  '--ignore-checksum',
];
/** Against a store that answers with no common prefixes. */
export const FAST_LIST: readonly string[] = ['--fast-list'];
/** A second run that looks at sizes only. */
export const BY_SIZE: readonly string[] = [
  '--fast-list',
  '--checkers=64',
  '--size-only',
  '--s3-no-check-bucket',
];

export function restore(name: string, flags: readonly string[] = []): Contestant {
  return copying(name, flags, (job) => [
    `:s3:${job.store.bucket}/${HUB_PREFIX}`.replace(/\/$/, ''),
    join(job.dir, 'hub'),
  ]);
}

export function upload(name: string, flags: readonly string[] = []): Contestant {
  return copying(name, flags, ({ dir, store }) => {
    const blobs = blobsOf(store.set);
    return [join(dir, 'hub', blobs), `:s3:${store.bucket}/${HUB_PREFIX}${blobs}`];
  });
}

function copying(
  name: string,
  flags: readonly string[],
  fromTo: (job: Job) => readonly [string, string],
): Contestant {
  return {
    name,
    tool: 'rclone',
    command: (job) => ({
      argv: [
        job.programs.peer('rclone'),
        '--s3-provider=Minio',
        '--s3-env-auth',
        `--s3-endpoint=${job.store.endpoint}`,
        `--s3-region=${job.store.region}`,
        'copy',
        ...flags,
        ...fromTo(job),
      ],
      env: peerEnvironment(job.store),
    }),
  };
}
