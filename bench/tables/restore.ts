import * as aws from '../contestants/aws.ts';
import * as bareNode from '../contestants/bare-node.ts';
import type { Contestant } from '../contestants/contestant.ts';
import * as limit from '../contestants/limit.ts';
import * as modelCache from '../contestants/model-cache.ts';
import * as rclone from '../contestants/rclone.ts';
import * as s5cmd from '../contestants/s5cmd.ts';
import * as sdk from '../contestants/sdk.ts';
import { SMALL_FILES } from '../data-sets.ts';
import { PROVED, TRANSFER, type Table } from '../report/table.ts';
import type { Workplace } from '../workplace.ts';
import { beforeTheFirstByte, restoreRace } from './entrants.ts';
import { notRun, onMinio, onMinioWithTls, withNginx } from './places.ts';

/** Few streams bring the front of a file, which is hashed first, sooner. */
const limits: readonly Contestant[] = [
  limit.restore(),
  limit.provingRestore(),
  limit.provingRestore('limit (C reader, SHA-256, 2 streams)', { ...limit.USUAL, threads: 2 }),
];
const peers = (rcloneFlags: readonly string[] = []): readonly Contestant[] => [
  s5cmd.restore('s5cmd'),
  s5cmd.restore('s5cmd tuned', s5cmd.TUNED),
  rclone.restore('rclone', rcloneFlags),
  rclone.restore('rclone tuned', rclone.TUNED),
  aws.restore,
  aws.boto3Restore,
  sdk.restore,
];
const VERIFIED =
  'model-cache proves the SHA-256 of every file before it gets its name; the others verify nothing, or what TLS and a checksum header give.';

const ALIKE =
  'Every tool signs its requests but the C reader and the row that says so: to check a signature is a good part of what the server does for a small file. The bare Node has one thread, which signs, ' +
  'receives, hashes, names and links what a list tells it to, and does nothing else.';

/** The F5 set from MinIO. */
export async function cold(place: Workplace): Promise<readonly Table[]> {
  const rows = await restoreRace(place, await onMinio(place), [...limits, modelCache.restore, ...peers()]);
  return [{ title: 'Cold restore from MinIO', text: [VERIFIED], columns: PROVED, rows }];
}

/** The same, of what a lock file names. */
export async function locked(place: Workplace): Promise<readonly Table[]> {
  const rows = await restoreRace(place, await onMinio(place), [
    limit.restore(),
    modelCache.lockedRestore,
    s5cmd.restore('s5cmd'),
    rclone.restore('rclone tuned', rclone.TUNED),
  ]);
  const text = ['`init --locked`: nothing is listed, and what is restored is proved by the lock file.'];
  return [{ title: 'Locked restore from MinIO', text, columns: TRANSFER, rows }];
}

export async function fromNginx(place: Workplace): Promise<readonly Table[]> {
  const title = 'Cold restore from nginx';
  const text = [
    'Where the server costs little: files by sendfile, and a listing written beforehand. ' + VERIFIED,
  ];
  const contestants = [...limits, modelCache.restore, ...peers(rclone.FAST_LIST)];
  return withNginx<readonly Table[]>(
    place,
    async ({ plain: site }, stored) => {
      const rows = await restoreRace(place, { site, stored }, contestants);
      return [{ title, text, columns: PROVED, rows }];
    },
    (why) => [notRun(title, why)],
  );
}

/** From both servers. */
export async function overTls(place: Workplace): Promise<readonly Table[]> {
  const contestants = [...limits, modelCache.restore, ...peers(rclone.FAST_LIST)];
  const text = ['Every tool checks the certificate.'];
  const ofMinio = await restoreRace(place, await onMinioWithTls(place), contestants);
  const title = 'Cold restore from nginx over TLS';
  const ofNginx = await withNginx<Table>(
    place,
    async ({ tls: site }, stored) => {
      const rows = await restoreRace(place, { site, stored }, contestants);
      return { title, text, columns: PROVED, rows };
    },
    (why) => notRun(title, why),
  );
  return [{ title: 'Cold restore from MinIO over TLS', text, columns: PROVED, rows: ofMinio }, ofNginx];
}

export async function small(place: Workplace): Promise<readonly Table[]> {
  const placed = await onMinio(place, SMALL_FILES);
  const before = await beforeTheFirstByte(place, placed);
  const rows = await restoreRace(place, placed, [
    limit.restore(),
    limit.restore('limit (C reader, 1 thread)', { threads: 1, partMiB: 16 }),
    limit.provingRestore(),
    modelCache.restore,
    modelCache.unsignedRestore,
    bareNode.restore,
    s5cmd.restore('s5cmd'),
    s5cmd.restore('s5cmd tuned', s5cmd.TUNED_FOR_SMALL),
    rclone.restore('rclone'),
    rclone.restore('rclone tuned', rclone.TUNED_FOR_SMALL),
    aws.restore,
    sdk.restore,
  ]);
  const { sizes } = placed.stored.set;
  const title = `Cold restore of ${sizes.length} files of ${(sizes[0] ?? 0) / 1024} KiB from MinIO`;
  return [{ title, text: [VERIFIED, ALIKE, ...before], columns: PROVED, rows }];
}
