import { layout } from '../cache/layout.ts';
import { ownerFor } from '../cache/owner.ts';
import { explain, ModelCacheError, toModelCacheError } from '../errors.ts';
import { replaceFile } from '../files.ts';
import { exportsFor, formatExports, type Exports } from '../handover/environment.ts';
import { findProgram, type Program } from '../handover/program.ts';
import { runSetup } from '../handover/setup.ts';
import { exitCodeOf, type SignalWatch } from '../handover/signals.ts';
import { bytesSelected } from '../model/plan.ts';
import { findDir } from '../stages/choose-dir.ts';
import { patienceOf } from '../stages/connect.ts';
import type { Context } from '../stages/context.ts';
import { describePlan } from '../stages/describe-plan.ts';
import { finish } from '../stages/finish.ts';
import { readStore, type ReadStore } from '../stages/read-store.ts';
import { localCache, remember } from '../stages/local-cache.ts';
import { planFor, prepareDir, restore, type PreparedDir } from '../stages/restore-cache.ts';
import {
  planReport,
  tellEmpty,
  tellFailed,
  tellRestored,
  tellUnmatched,
  type Restored,
} from '../stages/tell-restore.ts';
import { fingerprintInBucket, startWithWriteBack } from '../stages/write-back.ts';
import { redactedCommand } from '../redact.ts';
import { bytes } from '../stages/words.ts';
import { Progress } from '../transfer/progress.ts';
import { withPatience } from '../transfer/watchdog.ts';

const EXIT_NOT_HANDED_OVER = 125;
const EXIT_NOT_EXECUTABLE = 126;
const EXIT_NOT_FOUND = 127;

/**
 * setup → restore → export → become the server. Whatever goes wrong on the way is told and left behind: only
 * `--strict`, a stop signal, or a server that cannot be started end it before.
 */
export async function init(context: Context, server: readonly string[], watch: SignalWatch): Promise<number> {
  if (context.settings.dryRun) return planOnly(context);
  const setupTook = await runSetups(context);
  // --timeout is for the restore; a setup has a timeout of its own.
  const restoring = { ...context, startedAt: context.startedAt + setupTook };
  const restored = await restoreOrExplain(restoring, server);
  const { dir, isWhole, code } = restored;
  const signal = await context.caughtSignal();
  if (signal !== undefined) return finish(context, exitCodeOf(signal), 'interrupted');
  if (context.settings.strict && !isWhole) {
    context.log.error(
      'server.failed',
      `The server is not started: --strict, and ${code}; drop --strict to start it anyway`,
    );
    return finish(context, EXIT_NOT_HANDED_OVER, code);
  }
  const exports = exportVariables(context, dir);
  return server.length === 0
    ? printExports(context, exports, code)
    : startServer(context, server, exports, restored, watch);
}

/** Reads everything, decides, prints the plan that a run would carry out, and does nothing. */
async function planOnly(context: Context): Promise<number> {
  const { settings, print, reporter, stop } = context;
  const { store, catalog } = await readStore(context, patienceOf(context));
  store.close();
  const found = findDir(context, bytesSelected(catalog, settings.selection));
  const { dir, freeBytes } = found ?? { dir: settings.dirs[0] ?? '/tmp/models', freeBytes: 0 };
  const plan = await planFor(context, { ...localCache(context, dir), freeBytes }, catalog, stop);
  print(settings.json ? `${JSON.stringify(plan, undefined, 2)}\n` : describePlan(plan));
  reporter.add({ restore: planReport(plan, 'planned') });
  return finish(context, 0, 'ok');
}

/** Returns how many milliseconds they took. */
async function runSetups({ settings, env, log, reporter, stop }: Context): Promise<number> {
  const start = performance.now();
  for (const command of settings.setup) {
    log.info('setup.started', `Running setup: ${command}`);
    try {
      await reporter.phase('setup', () =>
        runSetup(command, {
          env,
          timeout: settings.setupTimeout,
          signal: stop,
          onLine: (line) => log.info('setup.output', `setup: ${line}`),
        }),
      );
      log.info('setup.completed', `Setup completed: ${command}`);
    } catch (error) {
      if (stop.aborted) break;
      log.warn('setup.failed', `Setup failed: ${explain(error)}`);
      reporter.problem(error);
    }
  }
  return performance.now() - start;
}

/** Never throws: what cannot be restored, the server downloads. */
async function restoreOrExplain(context: Context, server: readonly string[]): Promise<Restored> {
  const { settings, reporter, stop } = context;
  let dir = settings.dirs[0] ?? '/tmp/models';
  let read: ReadStore | ModelCacheError | undefined;
  let prepared: PreparedDir | undefined;
  try {
    read = await reporter.phase('catalog', () =>
      readStore(context, patienceOf(context)).catch((error: unknown) => toModelCacheError(error)),
    );
    stop.throwIfAborted();
    const found = findDir(context, isRead(read) ? bytesSelected(read.catalog, settings.selection) : 0);
    if (found === undefined) throw new ModelCacheError('dir-unusable', 'there is no dir to restore to');
    dir = found.dir;
    prepared = await prepareDir(context, found);
    if (!isRead(read)) throw read;
    const isEmpty = read.catalog.source === 'nothing';
    const restored = isEmpty
      ? tellEmpty(context, read.store, dir, server)
      : await restoreInto(context, read, prepared, server);
    return server.length === 0
      ? restored
      : { ...restored, inBucket: await fingerprintInBucket(context, prepared, read.catalog) };
  } catch (error) {
    return tellFailed(context, dir, error, server);
  } finally {
    if (isRead(read)) read.store.close();
    if (prepared !== undefined) remember(context, prepared);
  }
}

async function restoreInto(
  context: Context,
  read: ReadStore,
  prepared: PreparedDir,
  server: readonly string[],
): Promise<Restored> {
  const start = performance.now();
  const progress = new Progress();
  const outcome = await withPatience(patienceOf(context), progress, context.stop, async (signal) => {
    const plan = await planFor(context, prepared, read.catalog, signal);
    tellUnmatched(context, read.store, plan);
    refuseWithoutSpace(plan.bytesShort, prepared.dir);
    return restore(context, read, prepared, plan, signal, progress);
  });
  return tellRestored(context, read.store, outcome, performance.now() - start, server);
}

/** Whatever the restore came to, the variables are set; the file beside the cache is for shells that lack them. */
function exportVariables({ settings, env, log, reporter }: Context, dir: string): Exports {
  const { transformersCache, also } = settings;
  const exports = exportsFor({ dir, transformersCache, also }, env);
  for (const { name, was } of exports.overridden) {
    log.warn('environment', `${name} was ${was}; the server gets ${exports.variables[name]}`);
  }
  try {
    replaceFile(layout.env(dir), formatExports(exports, 'sh'), { owner: ownerFor(dir, settings.owner) });
  } catch (error) {
    log.debug('environment', `${layout.env(dir)} was not written: ${explain(error)}`);
  }
  reporter.add({ exports: { ...exports.variables } });
  return exports;
}

/** For an init container, or `eval`: done is done, even when the store is dead. */
function printExports(context: Context, exports: Exports, code: string): number {
  if (!context.settings.json) context.print(formatExports(exports, 'sh'));
  return finish(context, 0, code);
}

async function startServer(
  context: Context,
  server: readonly string[],
  { variables }: Exports,
  restored: Restored,
  watch: SignalWatch,
): Promise<number> {
  const { log, reporter } = context;
  const { code } = restored;
  const env = { ...context.env, ...variables };
  const program = programOrError(server, env['PATH']);
  if (program instanceof ModelCacheError) {
    log.error('server.failed', explain(program));
    const exitCode = program.code === 'server-not-found' ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
    return finish(context, exitCode, program.code);
  }
  reporter.add({ server: { program: program.path } });
  log.info('server.exec', `Starting server: ${redactedCommand(server)}`);
  finish(context, undefined, code);
  return startWithWriteBack(context, restored, program, env, watch);
}

/** Only what the server itself is wrong with stops it; a check of ours that fails leaves the decision to the kernel. */
function programOrError(server: readonly string[], path: string | undefined): Program | ModelCacheError {
  try {
    return findProgram(server, path);
  } catch (error) {
    const reason = toModelCacheError(error);
    const isTheServers = reason.code === 'server-not-found' || reason.code === 'server-not-executable';
    return isTheServers ? reason : { path: '/bin/sh', argv: ['sh', '-c', 'exec "$0" "$@"', ...server] };
  }
}

function refuseWithoutSpace(bytesShort: number, dir: string): void {
  if (bytesShort === 0) return;
  throw new ModelCacheError('disk-full', `${dir} lacks ${bytes(bytesShort)}; nothing was restored`, {
    hint: 'name a larger disk with --dir, or fewer models with --model',
  });
}

function isRead(read: ReadStore | ModelCacheError | undefined): read is ReadStore {
  return read !== undefined && !(read instanceof ModelCacheError);
}
