import { join } from 'node:path';
import pLimit from 'p-limit';
import { Digester, proveFile } from '../cache/digest.ts';
import { existingDir } from '../cache/dirs.ts';
import { algorithmsFor } from '../cache/prove.ts';
import { scanCache } from '../cache/scan.ts';
import { State } from '../cache/state.ts';
import { explain, ModelCacheError, toModelCacheError } from '../errors.ts';
import { cachesBefore } from '../handover/environment.ts';
import type { CatalogFile } from '../model/catalog.ts';
import { algorithmsOf, firstMismatch } from '../model/digest.ts';
import type { LocalContent, LocalTree } from '../model/inventory.ts';
import { roleOf } from '../model/tree.ts';
import { itemFailure } from '../report.ts';
import { patienceOf } from '../stages/connect.ts';
import type { Context } from '../stages/context.ts';
import { finish } from '../stages/finish.ts';
import { readStore } from '../stages/read-store.ts';
import { remember } from '../stages/remember.ts';
import { bytes, files } from '../stages/words.ts';
import type { Store } from '../store/store.ts';

interface Failure {
  readonly tree: string;
  readonly path: string;
  readonly error: ModelCacheError;
}

interface Checked {
  readonly count: { readonly files: number; readonly bytes: number };
  readonly failures: readonly Failure[];
}

const OBJECTS_AT_ONCE = 4;

/** Hashes everything again, without the Hub: a blob against its own name, other files against what they were before. */
export async function verify(context: Context): Promise<number> {
  const { settings, reporter, log } = context;
  const { count, failures } = settings.remote ? await verifyBucket(context) : await verifyCache(context);
  for (const { error } of failures) log.warn('verify.item', explain(error));
  const where = settings.remote ? 'bucket' : 'cache';
  log.info(
    'verify.completed',
    `Verified ${files(count.files)}, ${bytes(count.bytes)} of the ${where}: ${failures.length === 0 ? 'all as they should be' : `${failures.length} wrong`}`,
  );
  reporter.add({ verify: { where, checked: count, failures: failures.map(itemFailure) } });
  return failures.length === 0
    ? finish(context, 0, 'ok')
    : finish(context, 1, failures[0]?.error.code ?? 'internal');
}

async function verifyCache(context: Context): Promise<Checked> {
  const { settings, env, reporter, stop } = context;
  const dir = existingDir(settings.dirs);
  if (dir === undefined) {
    throw new ModelCacheError(
      'dir-unusable',
      `there is no cache to verify: none of ${settings.dirs.join(', ')} exists`,
      { hint: 'name it with --dir' },
    );
  }
  reporter.add({ dir });
  const { hubs, torchHomes } = cachesBefore(dir, env, settings.reuse);
  const state = State.load(dir);
  const inventory = await scanCache(dir, {
    also: settings.also.map(({ tree }) => tree),
    state,
    reuse: [...hubs, ...torchHomes],
  });
  const failures: Failure[] = [];
  const checked: LocalContent[] = [];
  for (const tree of inventory.trees) {
    failures.push(...danglingLinks(tree));
    for (const file of tree.files.values()) {
      stop.throwIfAborted();
      checked.push({ tree, file });
      const error = await checkFile(dir, { tree, file }, state, stop);
      if (error !== undefined) failures.push({ tree: tree.tree, path: file.path, error });
    }
  }
  remember(context, dir, state);
  return {
    count: { files: checked.length, bytes: checked.reduce((sum, { file }) => sum + file.size, 0) },
    failures,
  };
}

async function checkFile(
  dir: string,
  { tree, file }: LocalContent,
  state: State,
  signal: AbortSignal,
): Promise<ModelCacheError | undefined> {
  const path = join(tree.root, file.path);
  const role = roleOf(tree.tree, file.path);
  const wanted = role?.role === 'blob' ? role.digests : (file.digests ?? {});
  try {
    const { digests, identity } = await proveFile(
      join(dir, path),
      algorithmsFor(tree.tree, file.path),
      signal,
    );
    const mismatch = firstMismatch(wanted, digests);
    if (mismatch === undefined) state.remember(path, identity, digests);
    return mismatch && wrongContent(path, mismatch);
  } catch (error) {
    signal.throwIfAborted();
    return toModelCacheError(error);
  }
}

function danglingLinks(tree: LocalTree): readonly Failure[] {
  return Array.from(tree.links.values()).flatMap(({ path, target, to }) => {
    if (to === undefined || tree.files.has(to)) return [];
    const error = new ModelCacheError('path-unsafe', `${tree.root}/${path} leads nowhere`, {
      wanted: target,
      hint: 'the server downloads that file again',
    });
    return [{ tree: tree.tree, path, error }];
  });
}

async function verifyBucket(context: Context): Promise<Checked> {
  const { store, catalog } = await readStore(context, { ...patienceOf(context), minSpeed: 0 });
  const limit = pLimit(OBJECTS_AT_ONCE);
  const objects = catalog.trees.flatMap(({ tree, files: all }) => all.map((file) => ({ tree, file })));
  try {
    const results = await Promise.all(
      objects.map(({ tree, file }) =>
        limit(async (): Promise<readonly Failure[]> => {
          const error = await checkObject(store, file, context.stop);
          return error === undefined ? [] : [{ tree, path: file.path, error }];
        }),
      ),
    );
    return {
      count: { files: objects.length, bytes: objects.reduce((sum, { file }) => sum + file.size, 0) },
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
      return new ModelCacheError('object-size-differs', `the object ${key} has another size`, {
        wanted: `${size} bytes`,
        found: `${body.objectSize} bytes`,
      });
    }
    const digester = new Digester(algorithmsOf(digests ?? {}), size);
    for await (const chunk of body.chunks) digester.update(chunk);
    const mismatch = firstMismatch(digests ?? {}, digester.digests());
    return (
      mismatch &&
      new ModelCacheError(
        'object-digest-differs',
        `the object ${key} is not what its name or manifest says`,
        { ...mismatch, hint: 'delete it; the next upload puts a right one there' },
      )
    );
  } catch (error) {
    signal.throwIfAborted();
    const reason = toModelCacheError(error);
    if (reason.code.startsWith('store-')) throw error;
    return reason;
  }
}

function wrongContent(
  path: string,
  mismatch: { readonly wanted: string; readonly found: string },
): ModelCacheError {
  return new ModelCacheError('file-digest-differs', `${path} is not what it should be`, {
    ...mismatch,
    hint: 'delete it; `model-cache init` or the server brings it back',
  });
}
