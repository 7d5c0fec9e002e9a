import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain, hasErrno, toModelCacheError } from '../errors.ts';
import { leaveBehind } from '../handover/background.ts';
import { becomeServer } from '../handover/become.ts';
import type { Program } from '../handover/program.ts';
import { formatServerProcess, thisProcess, type ServerProcess } from '../handover/server-process.ts';
import type { SignalWatch } from '../handover/signals.ts';
import { supervise, type Companion } from '../handover/supervise.ts';
import type { Catalog } from '../model/catalog.ts';
import { compareTrees, isInSync } from '../model/compare.ts';
import { fingerprintOf } from '../model/fingerprint.ts';
import type { Inventory } from '../model/inventory.ts';
import { NO_WAITING_HELPS } from '../model/no-waiting-helps.ts';
import { changesNothing } from '../model/plan.ts';
import { argsOf, type Environment } from '../settings/raw.ts';
import type { WriteBackOrder } from '../write-back/order.ts';
import { WriteBack } from '../write-back/write-back.ts';
import type { Context } from './context.ts';
import { folderOfStore, scanLocal, type LocalCache } from './local-cache.ts';
import type { PlannedDir } from './restore-cache.ts';

/** Beside the file that this is built into. */
const BUILT = import.meta.dirname;
const WRITE_BACK_PROGRAM = join(BUILT, 'write-back.cjs');
const PASS_PROGRAM = join(BUILT, 'main.cjs');

/** Larger caches are not looked through once more before the server starts; the write-back does it beside it. */
const MAX_FILES_TO_LOOK_AT = 5000;
const LOOK_WITHIN_MS = 1000;

/** Who sends what the server downloads: a process that stays behind, this one, or nobody. */
type Mode = 'behind' | 'in-front' | 'none';

/** What the write-back must know of the cache that it stays beside. */
interface WhatIsReady {
  readonly dir: string;
  /** How the restore ended. */
  readonly code: string;
  /** Other caches that blobs of the dir may link to. */
  readonly reuse: readonly string[];
  /** The fingerprint of the dir, when the bucket has all of it. */
  readonly inBucket?: string;
}

/** `code` is how the restore ended. */
function modeOf({ settings }: Context, code: string): Mode {
  const { writeBack, store } = settings;
  if (writeBack === 'off' || store === undefined || NO_WAITING_HELPS.has(code)) return 'none';
  const canExec = typeof process.execve === 'function';
  return writeBack === 'wait' || !canExec ? 'in-front' : 'behind';
}

/**
 * Starts the server, and sees to it that what it downloads is sent. Comes back with an exit code, as `becomeServer`
 * does. Nothing that is wrong with the write-back keeps the server from starting.
 */
export async function startWithWriteBack(
  context: Context,
  ready: WhatIsReady,
  program: Program,
  env: Environment,
  watch: SignalWatch,
): Promise<number> {
  const mode = modeOf(context, ready.code);
  if (mode === 'behind') {
    try {
      const server = thisProcess();
      const order = JSON.stringify(orderFor(context, ready, server, server));
      const problem = leaveBehind(WRITE_BACK_PROGRAM, [order], context.env);
      if (problem !== undefined) tellNoWriteBack(context, problem);
    } catch (error) {
      tellNoWriteBack(context, error);
    }
  }
  if (mode === 'in-front') {
    try {
      return await supervise(program, env, watch, (server) =>
        beside(context, orderFor(context, ready, server, thisProcess())),
      );
    } catch (error) {
      if (!isNoRoom(error) || typeof process.execve !== 'function') throw error;
      tellNoWriteBack(context, error);
    }
  }
  return becomeServer(program, env, watch);
}

/** No process more can be started (`ulimit -u`); this one can still become another program. */
function isNoRoom(error: unknown): boolean {
  const isOfSpawn = (error as NodeJS.ErrnoException).syscall?.startsWith('spawn') === true;
  return isOfSpawn && hasErrno(error, 'EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE');
}

function tellNoWriteBack({ log }: Context, error: unknown): void {
  log.warn(
    'write-back.failed',
    `nothing will be uploaded by itself: ${explain(error)}`,
    toModelCacheError(error).code,
  );
}

function beside({ env, log }: Context, order: WriteBackOrder): Companion {
  return new WriteBack(order, {
    env,
    say: (level, event, message) => log[level](event, message),
  });
}

/** `speaker` has the stderr that the server has, for as long as somebody may want to hear of an upload. */
function orderFor(
  { settings, flags }: Context,
  { dir, reuse, inBucket = '' }: WhatIsReady,
  server: ServerProcess,
  speaker: ServerProcess,
): WriteBackOrder {
  return {
    dir,
    server,
    also: settings.also.map(({ tree }) => tree),
    reuse,
    store: folderOfStore(settings),
    idle: settings.writeBackIdle,
    grace: settings.grace,
    passed: inBucket,
    program: PASS_PROGRAM,
    passArgs: ['write-back', formatServerProcess(speaker), ...argsOf({ ...flags, dir: [dir] }, 'upload')],
    logFormat: settings.log.format,
    logLevel: settings.log.level,
    owner: settings.owner,
  };
}

/**
 * The fingerprint of the dir when the bucket has all of it; '' when it lacks something, or nobody can say so cheaply.
 * Never throws: then the write-back looks for itself.
 */
export async function fingerprintInBucket(
  context: Context,
  cache: PlannedDir,
  catalog: Catalog,
): Promise<string> {
  const files = catalog.trees.reduce((sum, tree) => sum + tree.files.length, 0);
  if (files > MAX_FILES_TO_LOOK_AT || modeOf(context, 'ok') === 'none') return '';
  if (catalog.source === 'nothing' || context.stop.aborted) return '';
  const inventory = changesNothing(cache.plan) ? cache.inventory : await lookAgain(context, cache);
  if (inventory === undefined) return '';
  const lacksNothing = compareTrees(catalog, inventory).every(
    (tree) => isInSync(tree) || tree.here.files === 0,
  );
  return lacksNothing ? fingerprintOf(inventory) : '';
}

/** Undefined when the disk takes long. */
function lookAgain(context: Context, cache: LocalCache): Promise<Inventory | undefined> {
  const late = sleep(LOOK_WITHIN_MS, undefined, { ref: false });
  return Promise.race([scanLocal(context, cache), late]).catch(() => undefined);
}
