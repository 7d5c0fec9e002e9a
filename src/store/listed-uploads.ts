import { ModelCacheError } from '../errors.ts';
import { decodedKey } from './s3-keys.ts';
import type { OpenUpload, SentPart } from './store.ts';

export interface ListedUpload {
  readonly Key?: string | undefined;
  readonly UploadId?: string | undefined;
  readonly Initiated?: Date | undefined;
}

export interface ListedPart {
  readonly PartNumber?: number | undefined;
  readonly Size?: number | undefined;
  readonly ETag?: string | undefined;
  readonly LastModified?: Date | undefined;
}

/** An entry of a listing as an upload; nothing for what was not asked for. */
export function listedUpload(
  { Key, UploadId: id, Initiated }: ListedUpload,
  bucket: { readonly relative: (key: string) => string },
  prefix: string,
  isEncoded: boolean,
): readonly OpenUpload[] {
  const key = isEncoded && Key !== undefined ? decodedKey(Key) : Key;
  if (key?.startsWith(prefix) !== true || id === undefined) return [];
  return [{ key: bucket.relative(key), id, initiated: timeOf(Initiated) }];
}

/** An entry of a listing as a part. MinIO lists those that are still being written, empty and of the year 1: they are not there yet. */
export function listedPart({ PartNumber, Size, ETag, LastModified }: ListedPart): readonly SentPart[] {
  const etag = unquoted(ETag);
  if (Size === 0 && etag === '') return [];
  return [{ number: PartNumber ?? 0, size: Size ?? 0, etag, modified: timeOf(LastModified) }];
}

export function unquoted(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}

export function withoutWord(url: string, key: string, wanted: string): ModelCacheError {
  return new ModelCacheError('store-failed', `${url} answered for ${key} without ${wanted}`);
}

/** Without a time it counts as of this moment, so that nobody takes it for left behind. */
function timeOf(date: Date | undefined): number {
  const time = date?.getTime();
  return time === undefined || Number.isNaN(time) ? Date.now() : time;
}
