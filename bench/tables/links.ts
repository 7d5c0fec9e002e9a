import * as aws from '../contestants/aws.ts';
import * as limit from '../contestants/limit.ts';
import * as modelCache from '../contestants/model-cache.ts';
import * as rclone from '../contestants/rclone.ts';
import * as s5cmd from '../contestants/s5cmd.ts';
import * as sdk from '../contestants/sdk.ts';
import { F5, F5_TENTH, type Shape } from '../data-sets.ts';
import { startLink, whyNoLink, type LinkShape } from '../link.ts';
import { OVER_LINK, type Table } from '../report/table.ts';
import { at } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';
import { restoring } from './entrants.ts';

/** The defaults of some come to nothing under loss; nobody waits for them. */
const TIME_LIMIT_SECONDS = 20;

interface OverLink {
  readonly link: LinkShape;
  readonly shape: Shape;
}

const LINKS: readonly OverLink[] = [
  { link: { megabitsPerSecond: 5000, roundTripMs: 2, mtu: 9000, losesOneIn: 0 }, shape: F5 },
  { link: { megabitsPerSecond: 1000, roundTripMs: 20, mtu: 1500, losesOneIn: 0 }, shape: F5_TENTH },
  { link: { megabitsPerSecond: 1000, roundTripMs: 20, mtu: 1500, losesOneIn: 1000 }, shape: F5_TENTH },
];

const CONTESTANTS = [
  limit.restore(),
  limit.restore('limit (C reader, 64 x 1 MiB)', { threads: 64, partMiB: 1 }),
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
  const why = whyNoLink();
  if (why !== undefined) {
    place.tell(`skipped: ${why}`);
    return [{ title: 'Shaped links', text: [`Not run: ${why}.`], columns: [], rows: [] }];
  }
  const tables = [];
  for (const over of LINKS) tables.push(await overLink(place, over));
  return tables;
}

async function overLink(place: Workplace, { link: shape, shape: ofSet }: OverLink): Promise<Table> {
  const stored = await place.minio.stored(place.set(ofSet));
  const link = await startLink(place.programs, shape);
  try {
    const site = await place.minio.behind(link);
    const store = at(site, stored);
    const rows = await place.race(
      place.chosen(CONTESTANTS).map((contestant) => restoring(place, contestant, store)),
      site,
      { timeLimitSeconds: TIME_LIMIT_SECONDS },
    );
    const { megabitsPerSecond, roundTripMs, mtu, losesOneIn } = shape;
    const loss = losesOneIn === 0 ? '' : `, 1 packet in ${losesOneIn} lost`;
    return {
      title: `${megabitsPerSecond / 1000} Gbit/s, ${roundTripMs} ms${loss}`,
      text: [
        `${stored.set.bytes} bytes from MinIO, MTU ${mtu}. *Of the link*: payload bits over what the link carries in that time, the start of the ` +
          'process included; headers and the ramp-up of TCP take their part of it.',
      ],
      columns: OVER_LINK,
      rows,
      bitsPerSecond: megabitsPerSecond * 1e6,
    };
  } finally {
    await place.minio.stop();
    await link.stop();
  }
}
