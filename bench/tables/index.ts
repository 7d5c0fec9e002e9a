import type { Table } from '../report/table.ts';
import type { Workplace } from '../workplace.ts';
import { digests } from './digests.ts';
import { growth } from './growth.ts';
import { idle } from './idle.ts';
import { links } from './links.ts';
import { cold, fromNginx, locked, overTls, small } from './restore.ts';
import type { TableId } from './table-ids.ts';
import { threads } from './threads.ts';
import { upload } from './upload.ts';

export const MEASUREMENTS: Readonly<Record<TableId, (place: Workplace) => Promise<readonly Table[]>>> = {
  cold,
  locked,
  nginx: fromNginx,
  tls: overTls,
  small,
  upload,
  idle,
  links,
  growth,
  threads,
  digests,
};
