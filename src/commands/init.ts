import { DiskWorkAside } from '../aside/in-front.ts';
import { explain, ModelCacheError, toModelCacheError } from '../errors.ts';
import { formatExports } from '../handover/environment.ts';
import { findProgram, type Program } from '../handover/program.ts';
import { inheritedBy } from '../handover/server-environment.ts';
import { runSetup } from '../handover/setup.ts';
import { exitCodeOf, type SignalWatch, type StopSignal } from '../handover/signals.ts';
import { findDir } from '../stages/choose-dir.ts';
import { patienceOf } from '../stages/connect.ts';
import type { Context } from '../stages/context.ts';
import { describePlan } from '../stages/describe-plan.ts';
import { completed, finish } from '../stages/finish.ts';
import { localCache } from '../stages/local-cache.ts';
import { asLocked } from '../stages/locked-start.ts';
import type { Ready } from '../stages/make-ready.ts';
import { readStore } from '../stages/read-store.ts';
import { planFor } from '../stages/restore-cache.ts';
import { doneHere, doneNowhere, type ReportKeeper } from '../stages/disk-work.ts';
import { withinReach } from '../stages/reachable.ts';
import { tellPlace } from '../stages/tell-place.ts';
import { planReport } from '../stages/tell-restore.ts';
import { startWithout } from '../stages/start-without.ts';
import { startWithWriteBack } from '../stages/write-back.ts';
import { Progress } from '../transfer/progress.ts';
import { redactedCommand, redactedShell } from '../redact.ts';
import { reportText } from '../report.ts';
import { tellProblem } from '../stages/tell-problem.ts';

const EXIT_NOT_HANDED_OVER = 125;
const EXIT_NOT_EXECUTABLE = 126;
const EXIT_NOT_FOUND = 127;

/**
 * setup → restore → export → become the server. Whatever goes wrong on the way is told and left behind: only
 * `--strict`, a stop signal, or a server that cannot be started end it before.
 */
export async function init(asked: Context, server: readonly string[], watch: SignalWatch): Promise<number> {
  if (asked.settings.dryRun) return planOnly(asked);
  const setupTook = await runSetups(asked);
  // --timeout is for the restore; a setup has a timeout of its own.
  const restoring = { ...asked, startedAt: asked.startedAt + setupTook };
  const { context, disk, ready } = await makeReady(restoring, server);
  const signal = await context.caughtSignal();
  if (signal !== undefined) {
    if (ready.code !== 'interrupted') tellStopped(context, signal);
    return end(context, disk, exitCodeOf(signal), 'interrupted');
  }
  if (context.settings.strict && !ready.isWhole) {
    context.log.error(
      'server.failed',
      `The server is not started: --strict, and ${ready.code}; drop --strict to start it anyway`,
      ready.code,
    );
    return end(context, disk, EXIT_NOT_HANDED_OVER, ready.code);
  }
  context.reporter.add({ exports: { ...ready.exports.variables } });
  return server.length === 0
    ? printExports(context, disk, ready)
    : startServer(context, server, disk, ready, watch);
}

interface Prepared {
  /** Without what is out of reach. */
  readonly context: Context;
  readonly disk: ReportKeeper;
  readonly ready: Ready;
}

/** Never throws: a bug of ours, too, leaves a server with its variables. */
async function makeReady(context: Context, server: readonly string[]): Promise<Prepared> {
  let reached = context;
  try {
    const reach = await withinReach(context, server);
    reached = reach.context;
    tellPlace(reached);
    const isOnlyLocal = reach.answering.length === 0 && reach.dead.length === 0;
    const disk = isOnlyLocal ? doneHere(reached) : new DiskWorkAside(reached, reach.answering);
    return { context: reached, disk, ready: await disk.makeReady(server) };
  } catch (error) {
    const worked = context.reporter.value.dir ?? undefined;
    const ready = await startWithout(reached, error, server, worked);
    return { context: reached, disk: doneNowhere(reached), ready };
  }
}

/** Reads everything, decides, prints the plan that a run would carry out, and does nothing. */
async function planOnly(unlocked: Context): Promise<number> {
  const context = asLocked(unlocked);
  const { settings, print, reporter, stop } = context;
  const { store, catalog } = await readStore(context, patienceOf(context));
  store.close();
  const { chosen } = await findDir(context, async ({ dir, freeBytes }) => {
    const cache = { ...localCache(context, dir), freeBytes };
    return { ...cache, ...(await planFor(context, cache, catalog, stop, new Progress())) };
  });
  const { plan } = chosen;
  print(settings.json ? `${JSON.stringify(plan, undefined, 2)}\n` : describePlan(plan));
  reporter.add({ restore: planReport(plan, 'planned') });
  return finish(context, 0, 'ok');
}

/** Returns how many milliseconds they took. */
async function runSetups(context: Context): Promise<number> {
  const { settings, env, log, reporter, stop } = context;
  const start = performance.now();
  for (const command of settings.setup) {
    log.info('setup.started', `Running setup: ${redactedShell(command)}`);
    try {
      await reporter.phase('setup', () =>
        runSetup(command, {
          env,
          timeout: settings.setupTimeout,
          signal: stop,
          onLine: (line) => log.info('setup.output', `setup: ${line}`),
        }),
      );
      log.info('setup.completed', `Setup completed: ${redactedShell(command)}`);
    } catch (error) {
      if (stop.aborted) break;
      tellProblem(context, 'setup.failed', error, `Setup failed: ${redactedShell(explain(error))}`);
    }
  }
  return performance.now() - start;
}

/** For an init container, or `eval`: done is done, even when the store is dead. */
function printExports(context: Context, disk: ReportKeeper, { exports, code }: Ready): Promise<number> {
  if (!context.settings.json) context.print(formatExports(exports, 'sh'));
  return end(context, disk, 0, code);
}

async function startServer(
  context: Context,
  server: readonly string[],
  disk: ReportKeeper,
  ready: Ready,
  watch: SignalWatch,
): Promise<number> {
  const { log, reporter } = context;
  const env = { ...inheritedBy(context.settings, context.env), ...ready.exports.variables };
  const program = programOrError(server, context);
  if (program instanceof ModelCacheError) {
    log.error('server.failed', explain(program), program.code);
    const exitCode = program.code === 'server-not-found' ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
    return end(context, disk, exitCode, program.code);
  }
  reporter.add({ server: { program: program.path } });
  log.info('server.exec', `Starting server: ${redactedCommand(server)}`);
  await disk.keepReport(completed(context, undefined, ready.code));
  const exitCode = await startWithWriteBack(context, ready, program, env, watch);
  const signal = await context.caughtSignal();
  const wasNeverStarted = signal !== undefined && exitCode === exitCodeOf(signal);
  if (!wasNeverStarted) return exitCode;
  tellStopped(context, signal);
  return end(context, disk, exitCode, 'interrupted');
}

/** A stop signal came when nothing was under way that would tell it. */
function tellStopped({ log }: Context, signal: StopSignal): void {
  log.info('interrupted', `stopped by ${signal}`);
}

/** The report of a start that no server follows. */
async function end(context: Context, disk: ReportKeeper, exitCode: number, code: string): Promise<number> {
  const report = completed(context, exitCode, code);
  await disk.keepReport(report);
  if (context.settings.json) context.print(reportText(report));
  return exitCode;
}

/** Only what the server itself is wrong with stops it; a check of ours that fails leaves the decision to the kernel. */
function programOrError(server: readonly string[], { env, unreachable }: Context): Program | ModelCacheError {
  try {
    return findProgram(server, env['PATH'], (folder) => !unreachable.has(folder));
  } catch (error) {
    const reason = toModelCacheError(error);
    const isTheServers = reason.code === 'server-not-found' || reason.code === 'server-not-executable';
    return isTheServers ? reason : { path: '/bin/sh', argv: ['sh', '-c', 'exec "$0" "$@"', ...server] };
  }
}
