import * as aws from '../contestants/aws.ts';
import type { Contestant } from '../contestants/contestant.ts';
import * as limit from '../contestants/limit.ts';
import * as modelCache from '../contestants/model-cache.ts';
import * as rclone from '../contestants/rclone.ts';
import * as s5cmd from '../contestants/s5cmd.ts';
import * as sdk from '../contestants/sdk.ts';
import { SMALL_FILES } from '../data-sets.ts';
import type { Row } from '../measure/race.ts';
import { TRANSFER, type Table } from '../report/table.ts';
import type { Workplace } from '../workplace.ts';
import { restoreRace } from './entrants.ts';
import { notRun, onMinio, onMinioWithTls, withNginx, type Placed } from './places.ts';

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

/** The F5 set from MinIO. */
export async function cold(place: Workplace): Promise<readonly Table[]> {
  const rows = await restoreRace(place, await onMinio(place), [
    limit.restore(),
    modelCache.restore,
    ...peers(),
  ]);
  return [{ title: 'Cold restore from MinIO', text: [VERIFIED], columns: TRANSFER, rows }];
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
  const contestants = [limit.restore(), modelCache.restore, ...peers(rclone.FAST_LIST)];
  return withNginx<readonly Table[]>(
    place,
    async ({ plain: site }, stored) => {
      const rows = await restoreRace(place, { site, stored }, contestants);
      return [{ title, text, columns: TRANSFER, rows }];
    },
    (why) => [notRun(title, why)],
  );
}

/** From both servers; the limit is that of the same server without TLS. */
export async function overTls(place: Workplace): Promise<readonly Table[]> {
  const withoutTls = limit.restore('limit (C reader, without TLS)');
  const contestants = [modelCache.restore, ...peers(rclone.FAST_LIST)];
  const text = [
    'Every tool checks the certificate. The C reader speaks no TLS: its row is the same server without it, measured right before.',
  ];
  const plainAndTls = async (plain: Placed, tls: () => Promise<Placed>): Promise<readonly Row[]> => [
    ...(await restoreRace(place, plain, [withoutTls])),
    ...(await restoreRace(place, await tls(), contestants)),
  ];
  const rows = await plainAndTls(await onMinio(place), () => onMinioWithTls(place));
  const title = 'Cold restore from nginx over TLS';
  const ofNginx = await withNginx<Table>(
    place,
    async ({ plain, tls }, stored) => {
      const fromTls = (): Promise<Placed> => Promise.resolve({ site: tls, stored });
      return { title, text, columns: TRANSFER, rows: await plainAndTls({ site: plain, stored }, fromTls) };
    },
    (why) => notRun(title, why),
  );
  return [{ title: 'Cold restore from MinIO over TLS', text, columns: TRANSFER, rows }, ofNginx];
}

export async function small(place: Workplace): Promise<readonly Table[]> {
  const placed = await onMinio(place, SMALL_FILES);
  const rows = await restoreRace(place, placed, [
    limit.restore(),
    limit.restore('limit (C reader, 1 thread)', { threads: 1, partMiB: 16 }),
    modelCache.restore,
    s5cmd.restore('s5cmd'),
    s5cmd.restore('s5cmd tuned', s5cmd.TUNED_FOR_SMALL),
    rclone.restore('rclone'),
    rclone.restore('rclone tuned', rclone.TUNED_FOR_SMALL),
    aws.restore,
    sdk.restore,
  ]);
  const { sizes } = placed.stored.set;
  const title = `Cold restore of ${sizes.length} files of ${(sizes[0] ?? 0) / 1024} KiB from MinIO`;
  return [{ title, text: [VERIFIED], columns: TRANSFER, rows }];
}
