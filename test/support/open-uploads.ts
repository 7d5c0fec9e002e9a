import { ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import type { Minio } from './minio.ts';

interface OpenUpload {
  readonly id: string;
  /** Their numbers. */
  readonly parts: readonly number[];
  /** Of all parts. */
  readonly bytes: number;
}

/** The multipart uploads of exactly this key that are neither completed nor aborted: MinIO lists none by prefix. */
export async function openUploads(minio: Minio, bucket: string, key: string): Promise<readonly OpenUpload[]> {
  const client = minio.client();
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key }),
  );
  return Promise.all(
    Uploads.filter((upload) => upload.Key === key).map(async ({ UploadId: id = '' }) => {
      const listed = await client
        .send(new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: id }))
        // Completed since it was listed.
        .catch(() => ({ Parts: [] }));
      const parts = listed.Parts ?? [];
      return {
        id,
        parts: parts.map(({ PartNumber = 0 }) => PartNumber),
        bytes: parts.reduce((sum, { Size = 0 }) => sum + Size, 0),
      };
    }),
  );
}
