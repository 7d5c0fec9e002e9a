import { explain, ModelCacheError, toModelCacheError } from './errors.ts';
import { EXIT_BUG, EXIT_FAILED, EXIT_USAGE } from './exit-codes.ts';
import { exitCodeOf, type SignalWatch } from './handover/signals.ts';
import type { Invocation } from './invocation.ts';
import { createLog } from './log.ts';
import { print, writeAll } from './output.ts';
import { hiding, secretValues } from './redact.ts';
import { Reporter, type Report } from './report.ts';
import type { Environment } from './settings/raw.ts';
import { resolveLogSettings, resolveSettings, type Settings } from './settings/settings.ts';
import type { Context } from './stages/context.ts';
import { finish } from './stages/finish.ts';
import { beFrugal } from './threads/frugal.ts';
import { VERSION } from './version.ts';
import { tellProblem } from './stages/tell-problem.ts';

type Asked = Exclude<Invocation, { kind: 'done' }>;
type Run = Extract<Invocation, { kind: 'run' }>;

/** What a command line asks for, from its settings to the exit code. */
export async function run(
  invocation: Asked,
  processEnv: NodeJS.ProcessEnv,
  startedAt: number,
  watch: SignalWatch,
): Promise<number> {
  beFrugal();
  const env: Environment = { ...processEnv };
  prepareForSdk(processEnv);
  if (invocation.kind === 'behind') return doDiskWork(env, watch);
  const settings = await settingsOrExplain(invocation, env);
  if (settings === undefined) return EXIT_USAGE;
  return runCommand(invocation, besideServer(invocation, settings), env, startedAt, watch);
}

/** Beside a server, stdout is the server's; and a variable that was left behind must not keep it from starting. */
function besideServer({ server, flags }: Run, settings: Settings): Settings {
  if (server.length === 0) return settings;
  const isAsked = flags.dryRun === true;
  const leftBehind = new ModelCacheError(
    'setting-invalid',
    'MODEL_CACHE_DRY_RUN is not heeded where a server is to start',
    {
      hint: 'use the flag --dry-run',
    },
  );
  return {
    ...settings,
    dryRun: isAsked,
    json: settings.json && isAsked,
    problems: settings.dryRun && !isAsked ? [...settings.problems, leftBehind] : settings.problems,
  };
}

async function runCommand(
  invocation: Run,
  settings: Settings,
  env: Environment,
  startedAt: number,
  watch: SignalWatch,
): Promise<number> {
  const bugs = catchBugs();
  const { command, server } = invocation;
  const hide = hiding(secretValues(env));
  const context: Context = {
    settings,
    env,
    log: await createLog(settings.log, undefined, hide),
    flags: invocation.flags,
    reporter: new Reporter(reportName(command), VERSION, startedAt, new Date(), hide),
    startedAt,
    stop: AbortSignal.any([watch.signal, bugs]),
    caughtSignal: () => watch.caught(),
    unreachable: new Set(),
    print,
  };
  for (const problem of settings.problems) tellProblem(context, 'settings', problem);
  try {
    switch (command) {
      case 'init':
        return await (await import('./commands/init.ts')).init(context, server, watch);
      case 'upload':
        return await (await import('./commands/upload.ts')).upload(context);
      case 'status':
        return await (await import('./commands/status.ts')).status(context);
      case 'verify':
        return await (await import('./commands/verify.ts')).verify(context);
      case 'write-back':
        return await (await import('./commands/write-back.ts')).writeBack(context, server);
      case 'lock':
        return await (await import('./commands/lock.ts')).lock(context);
      case 'env':
        return (await import('./commands/env.ts')).env(context);
    }
  } catch (error) {
    return tellFailure(context, error, watch);
  }
}

/** For an `init` that asked for it: whatever it says and finds goes there. */
async function doDiskWork(env: Environment, watch: SignalWatch): Promise<number> {
  const stop = AbortSignal.any([watch.signal, catchBugs()]);
  const { workBehind } = await import('./aside/behind.ts');
  await workBehind({ env, stop, caughtSignal: () => watch.caught(), version: VERSION });
  return 0;
}

/** Only commands that do something have a report of their own. */
function reportName(command: Run['command']): Report['command'] {
  return command === 'env' ? 'status' : command === 'write-back' ? 'upload' : command;
}

async function tellFailure(context: Context, error: unknown, watch: SignalWatch): Promise<number> {
  const { code } = toModelCacheError(error);
  const signal = await watch.caught();
  context.log.error(signal === undefined ? 'command.failed' : 'interrupted', explain(error), code);
  if (code === 'internal' && error instanceof Error)
    context.log.error('command.failed', `this is a bug of model-cache: ${error.stack}`);
  context.reporter.problem(error);
  const exitCode = signal === undefined ? (code === 'internal' ? EXIT_BUG : EXIT_FAILED) : exitCodeOf(signal);
  // Should stdout be what failed.
  const print = (text: string): void => writeAll(1, text);
  return finish({ ...context, print }, exitCode, code);
}

async function settingsOrExplain(
  { command, flags, server }: Run,
  env: Environment,
): Promise<Settings | undefined> {
  try {
    return resolveSettings(flags, env, server.length > 0, command === 'write-back' ? 'upload' : command);
  } catch (error) {
    const hide = hiding(secretValues(env));
    const log = await createLog(resolveLogSettings(flags, env), undefined, hide);
    log.error('settings', explain(error), toModelCacheError(error).code);
    return undefined;
  }
}

/** An error where nobody is looking must not end the process: it ends the restore, and the server starts. */
function catchBugs(): AbortSignal {
  const controller = new AbortController();
  const onBug = (error: unknown): void => controller.abort(toModelCacheError(error));
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
  return controller.signal;
}

/**
 * Our own process's environment only; the server's is made from the copy. The SDK fails without HOME for a user that
 * has no passwd entry, and would send what is meant for AWS to the store's endpoint.
 */
function prepareForSdk(processEnv: NodeJS.ProcessEnv): void {
  if (processEnv['HOME'] === undefined || processEnv['HOME'] === '') processEnv['HOME'] = '/nonexistent';
  for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL_STS'])
    delete processEnv[name];
}
