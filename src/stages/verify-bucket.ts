import { Digester } from '../model/digester.ts';
import { toModelCacheError, type ModelCacheError } from '../errors.ts';
import { countOf } from '../model/count.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { mapLimited } from '../map-limited.ts';
import { algorithmsOf, firstMismatch } from '../model/digest.ts';
import { otherContent, otherSize } from '../store/object-errors.ts';
import type { Store } from '../store/store.ts';
import { patienceOf } from './connect.ts';
import type { Context } from './context.ts';
import type { FileFailure } from '../model/file-failure.ts';
import { findLocalCache, remember } from './local-cache.ts';
import { readStore } from './read-store.ts';
import type { Checked } from './verify-cache.ts';

const OBJECTS_AT_ONCE = 4;

/**
 * Reads every object that a restore could take, and hashes it. What is wrong twice, on two connections, is remembered in
 * the dir: an upload from one that holds the file replaces it.
 */
export async function verifyBucket(context: Context): Promise<Checked> {
  const { store, catalog } = await readStore(context, { ...patienceOf(context), minSpeed: 0 });
  const cache = findLocalCache(context);
  const objects = catalog.trees.flatMap(({ tree, files: all }) => all.map((file) => ({ tree, file })));
  try {
    const results = await mapLimited(
      OBJECTS_AT_ONCE,
      objects,
      async ({ tree, file }): Promise<readonly FileFailure[]> => {
        const first = await checkObject(store, file, false, context.stop);
        if (first === undefined) return [];
        const second = await checkObject(store, file, true, context.stop);
        if (second === undefined) return [];
        if (isSameContent(first, second)) cache?.state.rememberCorrupt(file.key, second.etag);
        return [{ tree, path: file.path, error: second.error }];
      },
    );
    return {
      count: countOf(objects.map(({ file }) => file)),
      failures: results.flat(),
      leftOut: [],
    };
  } finally {
    store.close();
    if (cache !== undefined) remember(context, cache);
  }
}

interface Wrong {
  readonly error: ModelCacheError;
  /** '' when nothing was read. */
  readonly etag: string;
}

async function checkObject(
  store: Store,
  { key, size, digests }: CatalogFile,
  onNewConnection: boolean,
  signal: AbortSignal,
): Promise<Wrong | undefined> {
  try {
    const body = await store.get(key, { signal, onNewConnection });
    if (body.objectSize !== undefined && body.objectSize !== size) {
      await body.discard();
      return { error: otherSize(key, size, body.objectSize), etag: body.etag };
    }
    const digester = new Digester(algorithmsOf(digests ?? {}), size);
    for await (const chunk of body.chunks) digester.update(chunk);
    const mismatch = firstMismatch(digests ?? {}, digester.digests());
    return mismatch && { error: otherContent(key, mismatch), etag: body.etag };
  } catch (error) {
    signal.throwIfAborted();
    const reason = toModelCacheError(error);
    if (reason.code.startsWith('store-')) throw error;
    return { error: reason, etag: '' };
  }
}

function isSameContent(first: Wrong, second: Wrong): boolean {
  const isOtherContent = ({ error }: Wrong): boolean => error.code === 'object-digest-differs';
  return isOtherContent(first) && isOtherContent(second) && first.etag === second.etag;
}
