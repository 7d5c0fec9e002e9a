import { join } from 'node:path';
import type { ErrorCode } from '../errors.ts';
import { formatServerProcess, type ServerProcess } from '../handover/server-process.ts';
import type { Catalog } from '../model/catalog.ts';
import { compareTrees, isInSync } from '../model/compare.ts';
import { fingerprintOf } from '../model/fingerprint.ts';
import { argsOf } from '../settings/raw.ts';
import type { WriteBackOrder } from '../write-back/order.ts';
import type { Context } from './context.ts';
import { localCache, scanLocal, type LocalCache } from './local-cache.ts';

/** Beside the file that this is built into. */
const BUILT = import.meta.dirname;
export const WRITE_BACK_PROGRAM = join(BUILT, 'write-back.cjs');
const PASS_PROGRAM = join(BUILT, 'main.js');

/** Larger caches are not looked through once more before the server starts; the write-back does it beside it. */
const MAX_FILES_TO_LOOK_AT = 5000;

/** What has shown that there is no bucket to write to, for this key or at all. */
const POINTLESS: ReadonlySet<string> = new Set<ErrorCode>([
  'store-credentials-missing',
  'store-credentials-refused',
  'store-denied',
  'store-bucket-missing',
  'store-region-wrong',
  'format-unknown',
]);

/** Who sends what the server downloads: a process that stays behind, this one, or nobody. */
export type WriteBackMode = 'behind' | 'in-front' | 'none';

/** `code` is how the restore ended. */
export function writeBackMode({ settings }: Context, code: string): WriteBackMode {
  const { writeBack, store } = settings;
  if (writeBack === 'off' || store === undefined || POINTLESS.has(code)) return 'none';
  const canExec = typeof process.execve === 'function';
  return writeBack === 'wait' || !canExec ? 'in-front' : 'behind';
}

/** The order for the write-back of `server`; `passed` is the fingerprint of what the bucket has. */
export function writeBackOrder(
  context: Context,
  dir: string,
  server: ServerProcess,
  passed: string,
): WriteBackOrder {
  const { settings, flags } = context;
  return {
    dir,
    server,
    also: settings.also.map(({ tree }) => tree),
    reuse: localCache(context, dir).reuse,
    idle: settings.writeBackIdle,
    grace: settings.grace,
    passed,
    program: PASS_PROGRAM,
    passArgs: ['write-back', formatServerProcess(server), ...argsOf({ ...flags, dir: [dir] })],
    logFormat: settings.log.format,
    logLevel: settings.log.level,
  };
}

/**
 * The fingerprint of the dir when the bucket has all of it; '' when it lacks something, or nobody can say so cheaply.
 * Never throws: then the write-back looks for itself.
 */
export async function fingerprintInBucket(
  context: Context,
  cache: LocalCache,
  catalog: Catalog,
): Promise<string> {
  const files = catalog.trees.reduce((sum, tree) => sum + tree.files.length, 0);
  if (files > MAX_FILES_TO_LOOK_AT || writeBackMode(context, 'ok') === 'none') return '';
  const inventory = await scanLocal(context, cache).catch(() => undefined);
  if (inventory === undefined) return '';
  const lacksNothing = compareTrees(catalog, inventory).every(
    (tree) => isInSync(tree) || tree.here.files === 0,
  );
  return lacksNothing ? fingerprintOf(inventory) : '';
}
