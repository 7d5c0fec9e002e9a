import * as aws from '../contestants/aws.ts';
import type { Contestant } from '../contestants/contestant.ts';
import * as limit from '../contestants/limit.ts';
import * as modelCache from '../contestants/model-cache.ts';
import * as rclone from '../contestants/rclone.ts';
import * as s5cmd from '../contestants/s5cmd.ts';
import * as sdk from '../contestants/sdk.ts';
import { F5, SMALL_FILES } from '../data-sets.ts';
import type { Row } from '../measure/race.ts';
import { TRANSFER, type Table } from '../report/table.ts';
import { startNginx, whyNoNginx, type Nginx } from '../stores/nginx.ts';
import type { Site } from '../stores/site.ts';
import { at, type Unplaced } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';
import { restoring } from './entrants.ts';

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
  const { site, store } = await onPlainMinio(place);
  const rows = await run(place, site, store, [limit.restore(), modelCache.restore, ...peers()]);
  return [{ title: 'Cold restore from MinIO', text: [VERIFIED], columns: TRANSFER, rows }];
}

/** The same, of what a lock file names. */
export async function locked(place: Workplace): Promise<readonly Table[]> {
  const { site, store } = await onPlainMinio(place);
  const rows = await run(place, site, store, [
    limit.restore(),
    modelCache.lockedRestore,
    s5cmd.restore('s5cmd'),
    rclone.restore('rclone tuned', rclone.TUNED),
  ]);
  const text = ['`init --locked`: nothing is listed, and what is restored is proved by the lock file.'];
  return [{ title: 'Locked restore from MinIO', text, columns: TRANSFER, rows }];
}

export async function fromNginx(place: Workplace): Promise<readonly Table[]> {
  return withNginx(place, async ({ plain }, stored) => {
    const rows = await run(place, plain, stored, [
      limit.restore(),
      modelCache.restore,
      ...peers(rclone.FAST_LIST),
    ]);
    const text = [
      'Where the server costs little: files by sendfile, and a listing written beforehand. ' + VERIFIED,
    ];
    return [{ title: 'Cold restore from nginx', text, columns: TRANSFER, rows }];
  });
}

/** From both servers; the limit is that of the same server without TLS. */
export async function overTls(place: Workplace): Promise<readonly Table[]> {
  const withoutTls = limit.restore('limit (C reader, without TLS)');
  const contestants = [modelCache.restore, ...peers(rclone.FAST_LIST)];
  const text = [
    'Every tool checks the certificate. The C reader speaks no TLS: its row is the same server without it, measured right before.',
  ];
  const plain = await onPlainMinio(place);
  const minioLimit = await run(place, plain.site, plain.store, [withoutTls]);
  const site = await place.minio.tls();
  const fromMinio = await run(place, site, plain.store, contestants);
  const ofNginx = await withNginx(place, async (nginx, stored) => {
    const nginxLimit = await run(place, nginx.plain, stored, [withoutTls]);
    const rows = [...nginxLimit, ...(await run(place, nginx.tls, stored, contestants))];
    return [{ title: 'Cold restore from nginx over TLS', text, columns: TRANSFER, rows }];
  });
  const rows = [...minioLimit, ...fromMinio];
  return [{ title: 'Cold restore from MinIO over TLS', text, columns: TRANSFER, rows }, ...ofNginx];
}

export async function small(place: Workplace): Promise<readonly Table[]> {
  const { site, store } = await onPlainMinio(place, SMALL_FILES);
  const rows = await run(place, site, store, [
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
  const { sizes } = store.set;
  const title = `Cold restore of ${sizes.length} files of ${(sizes[0] ?? 0) / 1024} KiB from MinIO`;
  return [{ title, text: [VERIFIED], columns: TRANSFER, rows }];
}

async function onPlainMinio(
  place: Workplace,
  shape = F5,
): Promise<{ readonly site: Site; readonly store: Unplaced }> {
  const store = await place.minio.stored(place.set(shape));
  return { site: await place.minio.plain(), store };
}

async function withNginx(
  place: Workplace,
  work: (nginx: Nginx, stored: Unplaced) => Promise<readonly Table[]>,
): Promise<readonly Table[]> {
  const why = whyNoNginx();
  if (why !== undefined) {
    place.tell(`skipped: ${why}`);
    return [{ title: 'Cold restore from nginx', text: [`Not run: ${why}.`], columns: [], rows: [] }];
  }
  const { store } = await onPlainMinio(place);
  const client = await place.minio.client();
  const nginx = await startNginx(place.scratch.dir, store, client, place.minio.certified);
  try {
    return await work(nginx, store);
  } finally {
    await nginx.stop();
  }
}

function run(
  place: Workplace,
  site: Site,
  stored: Unplaced,
  contestants: readonly Contestant[],
): Promise<readonly Row[]> {
  const store = at(site, stored);
  return place.race(
    place.chosen(contestants).map((contestant) => restoring(place, contestant, store)),
    site,
  );
}
