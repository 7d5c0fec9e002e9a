import * as aws from '../contestants/aws.ts';
import { LimitUpload } from '../contestants/limit-put.ts';
import * as modelCache from '../contestants/model-cache.ts';
import * as rclone from '../contestants/rclone.ts';
import * as s5cmd from '../contestants/s5cmd.ts';
import { F5 } from '../data-sets.ts';
import { PROVED, type Table } from '../report/table.ts';
import { FreshMinio } from '../stores/fresh-minio.ts';
import type { Workplace } from '../workplace.ts';
import { uploading } from './entrants.ts';

/** The F5 set into an empty bucket. */
export async function upload(place: Workplace): Promise<readonly Table[]> {
  const set = place.set(F5);
  const minio = new FreshMinio(place.scratch.dir);
  const contestants = place.chosen([
    new LimitUpload({ proves: false }),
    new LimitUpload({ proves: true }),
    modelCache.upload,
    s5cmd.upload('s5cmd'),
    s5cmd.upload('s5cmd tuned', { copy: s5cmd.TUNED.copy ?? [] }),
    rclone.upload('rclone tuned', rclone.TUNED_FOR_UPLOAD),
    aws.upload,
  ]);
  const rows = await place.race(
    contestants.map((contestant) => uploading(place, contestant, set, minio)),
    minio.site,
  );
  const text = [
    'model-cache hashes every byte before it is sent, and sends a checksum with each part. The C reader sends parts by sendfile ' +
      'and signs nothing; to begin and to complete its uploads is not in its time. Once it hashes each part before it sends it, by MD5 and SHA-256, and once nothing.',
    `Each run has a MinIO of its own, which keeps its data ${place.scratch.isInMemory ? 'in memory' : 'on disk'}.`,
  ];
  return [{ title: 'Upload into an empty bucket of MinIO', text, columns: PROVED, rows }];
}
