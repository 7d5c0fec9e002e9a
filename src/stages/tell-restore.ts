import { explain, ModelCacheError, toModelCacheError } from '../errors.ts';
import type { RestorePlan } from '../model/plan.ts';
import type { TreeName } from '../model/tree.ts';
import { itemFailure, type Report } from '../report.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './context.ts';
import type { Outcome } from './restore-cache.ts';
import { bytes, files, seconds, serverName, speed, syncName, unaskedFolders } from './words.ts';
import { tellProblem } from './tell-problem.ts';

/** How a restore ended, for the exit code and `--strict`. */
export interface Restored {
  readonly dir: string;
  /** Everything that was asked for is here. */
  readonly isWhole: boolean;
  readonly code: Report['code'];
  /** The fingerprint of the dir, when the bucket has all of it. */
  readonly inBucket?: string;
}

const WHY_LEFT_OUT =
  'no checksum vouches for them (--accept-unverified takes those), the bucket lacks them, or their paths are not safe';

type RestoreReport = NonNullable<Report['restore']>;

/** The plan was carried out; single files may have been left out. `elapsed` in milliseconds. */
export function tellRestored(
  context: Context,
  store: Store,
  { plan, failures, lacking }: Outcome & { readonly lacking: number },
  elapsed: number,
  server: readonly string[],
): Restored {
  const { log, reporter } = context;
  const leftOut = plan.items.filter(
    ({ reason }) => reason === 'unverified' || reason === 'unsafe-path',
  ).length;
  const withheld = plan.withheld.length;
  const isWhole = [failures.length, plan.unmatched.length, leftOut, withheld, lacking].every(
    (count) => count === 0,
  );
  if (leftOut > 0) log.warn('restore.item', `${files(leftOut)} left out: ${WHY_LEFT_OUT}`);
  reporter.add({
    restore: {
      ...planReport(plan, isWhole ? 'completed' : 'incomplete'),
      failures: failures.map(itemFailure),
    },
  });
  if (failures.length > 0) {
    const lost = `${lostOf(failures.length, plan.fetch.files)} could not be restored`;
    const message = `${syncName(store.kind)} failed: ${lost}; ${nextStep(context, server, plan.dir)}`;
    log.warn('restore.failed', message, 'restore-incomplete');
    return { dir: plan.dir, isWhole, code: 'restore-incomplete' };
  }
  const { fetch, present } = plan;
  const moved =
    fetch.files === 0
      ? 'nothing to fetch'
      : `${files(fetch.files)}, ${bytes(fetch.bytes)} in ${seconds(elapsed)} (${speed(fetch.bytes, elapsed)})`;
  log.info(
    'restore.completed',
    `${syncName(store.kind)} ${howFar({ withheld, lacking, leftOut, unmatched: plan.unmatched.length })} - models cached in ${plan.dir}: ${moved}, ${files(present.files)} here already`,
  );
  return {
    dir: plan.dir,
    isWhole,
    code: isWhole ? 'ok' : leftOut + withheld + lacking > 0 ? 'restore-incomplete' : 'model-not-found',
  };
}

/** Links and refs fail, too, of files that are here. */
function lostOf(failures: number, fetched: number): string {
  return failures > fetched ? `${failures} files and links` : `${failures} of ${files(fetched)}`;
}

/** The warnings before have said what is lacking. */
function howFar(without: Readonly<Record<'withheld' | 'lacking' | 'leftOut' | 'unmatched', number>>): string {
  const { withheld, lacking, leftOut, unmatched } = without;
  if (withheld > 0) return `incomplete, without ${withheld} of what is locked`;
  if (lacking > 0) return 'incomplete, without what the bucket lacks';
  if (leftOut > 0) return `incomplete, without ${files(leftOut)}`;
  return unmatched > 0 ? 'incomplete, without what nothing answers to' : 'completed';
}

/** A `--model` that nothing in the bucket answers to: most likely a slip of the pen, or not uploaded yet. */
export function tellUnmatched(context: Context, store: Store, plan: RestorePlan): void {
  for (const spec of plan.unmatched) {
    const message = `nothing in ${store.url} answers to --model ${spec}`;
    const hint = 'model-cache init --dry-run lists what is there';
    tellProblem(context, 'restore.unmatched', new ModelCacheError('model-not-found', message, { hint }));
  }
}

export function tellEmpty(
  context: Context,
  store: Store,
  dir: string,
  server: readonly string[],
  unasked: readonly TreeName[] = [],
): Restored {
  const { log, reporter } = context;
  const next = `${nextStep(context, server, dir)}; ${howItIsFilled(context, store, server)}`;
  const what =
    unasked.length === 0
      ? 'Nothing in the bucket yet'
      : `Nothing in the bucket but ${unaskedFolders(unasked)}`;
  log.warn('restore.empty', `${what}: ${next}`, 'bucket-empty');
  reporter.add({ restore: emptyReport('empty') });
  return { dir, isWhole: false, code: 'bucket-empty' };
}

/** Whatever ended a restore: one line says why, and the server downloads what is not here. */
export function tellFailed(
  context: Context,
  dir: string,
  error: unknown,
  server: readonly string[],
): Restored {
  const { settings, stop, log, reporter } = context;
  const { code } = toModelCacheError(error);
  if (settings.storeIsOff) {
    log.info('store.missing', explain(error));
    reporter.add({ restore: emptyReport('skipped') });
    return { dir, isWhole: true, code: 'ok' };
  }
  reporter.add({ restore: emptyReport('failed') });
  if (code === 'interrupted' && stop.aborted) {
    log.info('interrupted', explain(error));
    return { dir, isWhole: false, code };
  }
  const kind = settings.store?.kind === 'file' ? 'store' : 'S3';
  const words = `${syncName(kind)} failed: ${explain(error)}; ${nextStep(context, server, dir)}`;
  tellProblem(context, 'restore.failed', error, words);
  if (code === 'internal' && error instanceof Error) log.debug('restore.failed', String(error.stack));
  return { dir, isWhole: false, code };
}

/** What a plan says of itself, before or after it was carried out. */
export function planReport(plan: RestorePlan, status: RestoreReport['status']): RestoreReport {
  const reasons: Record<string, number> = {};
  for (const { reason } of plan.items) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    status,
    fetched: plan.fetch,
    present: plan.present,
    reasons,
    bytesShort: plan.bytesShort,
    failures: [],
  };
}

function howItIsFilled({ settings }: Context, { url }: Store, server: readonly string[]): string {
  if (settings.strict) return `\`model-cache upload\` fills ${url}`;
  const isSentLater = server.length > 0 && settings.writeBack !== 'off';
  return `${isSentLater ? 'what it gets is then put' : '`model-cache upload` then puts it'} into ${url}`;
}

function nextStep({ settings }: Context, server: readonly string[], dir: string): string {
  return settings.strict
    ? 'with --strict, nothing is started'
    : `${serverName(server)} will download to ${dir}`;
}

function emptyReport(status: RestoreReport['status']): RestoreReport {
  const none = { files: 0, bytes: 0 };
  return { status, fetched: none, present: none, reasons: {}, bytesShort: 0, failures: [] };
}
