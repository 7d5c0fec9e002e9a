import type { S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from './s3-access.ts';
import { S3Names } from './s3-names.ts';

/** What all requests of the SDK to one bucket share. */
export class S3Bucket extends S3Names {
  readonly client: S3Client;

  constructor(settings: S3Settings, client: S3Client) {
    super(settings);
    this.client = client;
  }

  async explained<T>(key: string | undefined, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw this.explain(key, error);
    }
  }
}
