// ENDPOINT BUCKET PREFIX FOLDER: restores what is below the prefix as one would with the AWS SDK, eight objects at once.
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import pLimit from 'p-limit';

const AT_ONCE = 8;

const [endpoint = '', bucket = '', prefix = '', folder = ''] = process.argv.slice(2);
const client = new S3Client({ endpoint, forcePathStyle: true });
const keys: string[] = [];
for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix }))
  for (const { Key = '' } of page.Contents ?? []) keys.push(Key);
await pLimit(AT_ONCE).map(keys, async (key) => {
  const path = join(folder, key.slice(prefix.length));
  await mkdir(dirname(path), { recursive: true });
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  await pipeline(Body as Readable, createWriteStream(path));
});
client.destroy();
