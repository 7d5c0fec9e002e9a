import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { TableId } from '../tables/table-ids.ts';
import type { Table } from './table.ts';

/** One table of the command line, which may be several of the document. */
export interface Measurement {
  readonly rounds: number;
  /** On which machine, with what. */
  readonly machine: readonly string[];
  readonly tables: readonly Table[];
}

/** Every raw run. */
export type MeasurementRecord = Readonly<Partial<Record<TableId, Measurement>>>;

export function emptyRecord(): MeasurementRecord {
  return {};
}

/** Of a file that is not there yet, an empty one. */
export function readRecord(file: string): MeasurementRecord {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as MeasurementRecord) : emptyRecord();
}

/** Written after each table: a long measurement that ends early is not lost. */
export function keep(
  record: MeasurementRecord,
  id: TableId,
  measurement: Measurement,
  file: string | undefined,
): MeasurementRecord {
  const kept = { ...record, [id]: measurement };
  if (file !== undefined) {
    writeFileSync(`${file}.new`, JSON.stringify(kept, undefined, 1));
    renameSync(`${file}.new`, file);
  }
  return kept;
}
