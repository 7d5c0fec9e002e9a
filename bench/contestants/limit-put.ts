import { join } from 'node:path';
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3';
import { environmentFor } from '../../test/support/program.ts';
import { HUB_PREFIX, type StoredSet } from '../stores/stored-set.ts';
import type { Contestant } from './contestant.ts';
import type { Tool } from './tool.ts';
import { addressOf, pathOf, USUAL } from './limit.ts';

const PART_BYTES = USUAL.partMiB * 1024 * 1024;

/** The parts of one object, which become it when `complete` has their ETags. */
interface Upload {
  readonly path: string;
  readonly size: number;
  readonly key: string;
  readonly id: string | undefined;
  readonly parts: number;
}

/** PUT of every part by the C reader. To begin and to complete the uploads is not in its time. */
export class LimitUpload implements Contestant {
  readonly name: string;
  readonly tool: Tool;
  readonly #options: readonly string[];
  #uploads: readonly Upload[] = [];

  /** `proves`: each part is hashed before it is sent, by MD5 for itself and by SHA-256 for its file. */
  constructor({ proves }: { readonly proves: boolean }) {
    this.name = proves ? 'limit (C reader, MD5 and SHA-256)' : 'limit (C reader)';
    this.tool = proves ? 'proving-limit' : 'limit';
    this.#options = proves ? ['prove'] : [];
  }

  async command({ programs, store, dir }: Parameters<Contestant['command']>[0]) {
    this.#uploads = await asking(store, (client) =>
      Promise.all(Array.from(store.set.files, ([path, { size }]) => begin(client, store, path, size))),
    );
    const jobs: string[] = [];
    for (const { path, size, id, parts } of this.#uploads) {
      for (let part = 0; part < parts; part += 1) {
        const offset = part * PART_BYTES;
        const length = Math.min(PART_BYTES, size - offset);
        const query = id === undefined ? '' : `?partNumber=${part + 1}&uploadId=${id}`;
        jobs.push(`${offset}\t${length}\t${pathOf(store, path)}${query}\t${join(dir, 'hub', path)}\n`);
      }
    }
    return {
      argv: [
        programs.native('wire-limit'),
        'put',
        ...addressOf(store),
        String(USUAL.threads),
        ...this.#options,
      ],
      env: environmentFor(),
      input: jobs.join(''),
    };
  }

  /** `output`: what the command printed. */
  async complete(store: StoredSet, output: string): Promise<void> {
    const etags = output.trim().split('\n');
    await asking(store, async (client) => {
      for (const { key, id, parts } of this.#uploads) {
        const own = etags.splice(0, parts);
        if (id === undefined) continue;
        await client.send(
          new CompleteMultipartUploadCommand({
            Bucket: store.bucket,
            Key: key,
            UploadId: id,
            MultipartUpload: { Parts: own.map((ETag, index) => ({ ETag, PartNumber: index + 1 })) },
          }),
        );
      }
    });
  }
}

async function begin(client: S3Client, { bucket }: StoredSet, path: string, size: number): Promise<Upload> {
  const key = `${HUB_PREFIX}${path}`;
  if (size <= PART_BYTES) return { path, size, key, id: undefined, parts: 1 };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }));
  return { path, size, key, id: UploadId, parts: Math.ceil(size / PART_BYTES) };
}

async function asking<T>(
  { endpoint, region, accessKeyId, secretAccessKey }: StoredSet,
  ask: (client: S3Client) => Promise<T>,
): Promise<T> {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  try {
    return await ask(client);
  } finally {
    client.destroy();
  }
}
