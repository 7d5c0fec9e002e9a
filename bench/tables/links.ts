import * as aws from '../contestants/aws.ts';
import * as limit from '../contestants/limit.ts';
import * as modelCache from '../contestants/model-cache.ts';
import * as rclone from '../contestants/rclone.ts';
import * as s5cmd from '../contestants/s5cmd.ts';
import * as sdk from '../contestants/sdk.ts';
import { OVER_LINK, type Table } from '../report/table.ts';
import type { Workplace } from '../workplace.ts';
import { beforeTheFirstByte, restoreRace } from './entrants.ts';
import { behindLink, FAR, linkWords, NEAR, notRun, type OverLink } from './places.ts';

/** The defaults of some come to nothing under loss; nobody waits for them. */
const TIME_LIMIT_SECONDS = 20;

const LOSSY: OverLink = { ...FAR, link: { ...FAR.link, losesOneIn: 1000 } };
/** As most people meet a store. */
const SECURE: OverLink = { ...FAR, isTls: true };
/** As S3 gives it within its region: a request brings so much, however fast the network is. */
const SHARED: OverLink = { ...NEAR, link: { ...NEAR.link, megabytesPerConnection: 90 } };
const LINKS: readonly OverLink[] = [NEAR, FAR, LOSSY, SECURE, SHARED];

const CONTESTANTS = [
  limit.restore(),
  limit.restore('limit (C reader, 64 x 1 MiB)', { threads: 64, partMiB: 1 }),
  limit.provingRestore(),
  limit.provingRestore('limit (C reader, SHA-256, 64 x 1 MiB)', { threads: 64, partMiB: 1 }),
  modelCache.restore,
  s5cmd.restore('s5cmd'),
  s5cmd.restore('s5cmd, 64 streams', s5cmd.MANY_STREAMS),
  rclone.restore('rclone'),
  rclone.restore('rclone tuned', rclone.TUNED),
  rclone.restore('rclone, 64 x 1 MiB', rclone.MANY_STREAMS),
  aws.restore,
  sdk.restore,
];

export async function links(place: Workplace): Promise<readonly Table[]> {
  const tables = [];
  for (const over of LINKS) tables.push(await overLink(place, over));
  return tables;
}

function overLink(place: Workplace, over: OverLink): Promise<Table> {
  const { megabitsPerSecond, mtu } = over.link;
  const title = linkWords(over);
  return behindLink<Table>(
    place,
    over,
    async (placed) => ({
      title,
      text: [
        `${placed.stored.set.bytes} bytes from MinIO, MTU ${mtu}. *Of the link*: payload bits over what the link carries in that time, the start of the ` +
          'process included; headers and the ramp-up of TCP take their part of it.',
        ...(await beforeTheFirstByte(place, placed)),
      ],
      columns: OVER_LINK,
      rows: await restoreRace(place, placed, CONTESTANTS, { timeLimitSeconds: TIME_LIMIT_SECONDS }),
      bitsPerSecond: megabitsPerSecond * 1e6,
    }),
    (why) => notRun(title, why),
  );
}
