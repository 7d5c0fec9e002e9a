import { F5, F5_TENTH, type Shape } from '../data-sets.ts';
import { startLink, whyNoLink, type LinkShape } from '../link.ts';
import type { Table } from '../report/table.ts';
import { startNginx, whyNoNginx, type Nginx } from '../stores/nginx.ts';
import type { Site } from '../stores/site.ts';
import type { Unplaced } from '../stores/stored-set.ts';
import type { Workplace } from '../workplace.ts';

/** A set, and a server that has it. */
export interface Placed {
  readonly site: Site;
  readonly stored: Unplaced;
}

export async function onMinio(place: Workplace, shape = F5): Promise<Placed> {
  const stored = await place.minio.stored(place.set(shape));
  return { site: await place.minio.plain(), stored };
}

export async function onMinioWithTls(place: Workplace, shape = F5): Promise<Placed> {
  const stored = await place.minio.stored(place.set(shape));
  return { site: await place.minio.tls(), stored };
}

/** `otherwise` where there is no nginx. */
export async function withNginx<T>(
  place: Workplace,
  work: (nginx: Nginx, stored: Unplaced) => Promise<T>,
  otherwise: (why: string) => T,
): Promise<T> {
  const why = whyNoNginx();
  if (why !== undefined) {
    place.tell(`skipped: ${why}`);
    return otherwise(why);
  }
  const { stored } = await onMinio(place);
  const client = await place.minio.client();
  const nginx = await startNginx(place.scratch.dir, stored, client, place.minio.certified);
  try {
    return await work(nginx, stored);
  } finally {
    await nginx.stop();
  }
}

export interface OverLink {
  readonly link: LinkShape;
  readonly shape: Shape;
  readonly isTls?: boolean;
}

/** Within one zone, and across a continent. */
export const NEAR: OverLink = {
  link: { megabitsPerSecond: 5000, roundTripMs: 2, mtu: 9000, losesOneIn: 0 },
  shape: F5,
};
export const FAR: OverLink = {
  link: { megabitsPerSecond: 1000, roundTripMs: 20, mtu: 1500, losesOneIn: 0 },
  shape: F5_TENTH,
};

/** `otherwise` where there can be no links. */
export async function behindLink<T>(
  place: Workplace,
  { link: shape, shape: ofSet, isTls = false }: OverLink,
  work: (placed: Placed) => Promise<T>,
  otherwise: (why: string) => T,
): Promise<T> {
  const why = whyNoLink();
  if (why !== undefined) {
    place.tell(`skipped: ${why}`);
    return otherwise(why);
  }
  const stored = await place.minio.stored(place.set(ofSet));
  const link = await startLink(place.programs, shape);
  try {
    return await work({ site: await place.minio.behind(link, isTls), stored });
  } finally {
    await place.minio.stop();
    await link.stop();
  }
}

/** As people call it. */
export function linkWords({ link, isTls = false }: OverLink): string {
  const { megabitsPerSecond, roundTripMs, losesOneIn, megabytesPerConnection } = link;
  const loss = losesOneIn === 0 ? '' : `, 1 packet in ${losesOneIn} lost`;
  const share =
    megabytesPerConnection === undefined ? '' : `, ${megabytesPerConnection} MB/s for each connection`;
  return `${megabitsPerSecond / 1000} Gbit/s, ${roundTripMs} ms${loss}${share}${isTls ? ', over TLS' : ''}`;
}

export function notRunWords(why: string): string {
  return `Not run: ${why}.`;
}

/** In the place of a table for which this machine lacks something. */
export function notRun(title: string, why: string): Table {
  return { title, text: [notRunWords(why)], columns: [], rows: [] };
}
