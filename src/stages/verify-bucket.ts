import pLimit from 'p-limit';
import { Digester } from '../model/digester.ts';
import { toModelCacheError, type ModelCacheError } from '../errors.ts';
import { countOf } from '../model/count.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { algorithmsOf, firstMismatch } from '../model/digest.ts';
import { otherContent, otherSize } from '../store/object-errors.ts';
import type { Store } from '../store/store.ts';
import { patienceOf } from './connect.ts';
import type { Context } from './context.ts';
import type { FileFailure } from '../model/file-failure.ts';
import { readStore } from './read-store.ts';
import type { Checked } from './verify-cache.ts';

const OBJECTS_AT_ONCE = 4;

/** Reads every object that a restore could take, and hashes it. Nothing is written. */
export async function verifyBucket(context: Context): Promise<Checked> {
  const { store, catalog } = await readStore(context, { ...patienceOf(context), minSpeed: 0 });
  const limit = pLimit(OBJECTS_AT_ONCE);
  const objects = catalog.trees.flatMap(({ tree, files: all }) => all.map((file) => ({ tree, file })));
  try {
    const results = await Promise.all(
      objects.map(({ tree, file }) =>
        limit(async (): Promise<readonly FileFailure[]> => {
          const error = await checkObject(store, file, context.stop);
          return error === undefined ? [] : [{ tree, path: file.path, error }];
        }),
      ),
    );
    return {
      count: countOf(objects.map(({ file }) => file)),
      failures: results.flat(),
    };
  } finally {
    limit.clearQueue();
    store.close();
  }
}

async function checkObject(
  store: Store,
  { key, size, digests }: CatalogFile,
  signal: AbortSignal,
): Promise<ModelCacheError | undefined> {
  try {
    const body = await store.get(key, { signal });
    if (body.objectSize !== size) {
      await body.discard();
      return otherSize(key, size, body.objectSize);
    }
    const digester = new Digester(algorithmsOf(digests ?? {}), size);
    for await (const chunk of body.chunks) digester.update(chunk);
    const mismatch = firstMismatch(digests ?? {}, digester.digests());
    return mismatch && otherContent(key, mismatch);
  } catch (error) {
    signal.throwIfAborted();
    const reason = toModelCacheError(error);
    if (reason.code.startsWith('store-')) throw error;
    return reason;
  }
}
