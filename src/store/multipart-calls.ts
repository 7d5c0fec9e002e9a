import type { Page } from './s3-pages.ts';
import type { OpenUpload, PartToSend, SentPart } from './store.ts';

/** Where the listing of uploads goes on. */
export interface UploadMarker {
  readonly key: string;
  readonly id: string | undefined;
}

/** The requests that uploads in parts are made of. Every one throws the reason of its signal once that has aborted. */
export interface MultipartCalls {
  /** A page of the uploads whose keys begin with `prefix`. */
  uploads(
    prefix: string,
    marker: UploadMarker | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<OpenUpload, UploadMarker>>;
  create(key: string, signal: AbortSignal | undefined): Promise<OpenUpload>;
  /** A page of the parts of an upload. */
  parts(
    upload: OpenUpload,
    marker: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Page<SentPart, string>>;
  putPart(upload: OpenUpload, part: PartToSend, signal: AbortSignal | undefined): Promise<string>;
  complete(
    upload: OpenUpload,
    parts: readonly SentPart[],
    signal: AbortSignal | undefined,
    onSign?: () => void,
  ): Promise<void>;
  /** `object-upload-gone` for one that is gone. */
  abort(upload: OpenUpload, signal: AbortSignal | undefined): Promise<void>;
}
