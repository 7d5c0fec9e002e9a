import { existingDir } from '../cache/dirs.ts';
import { State } from '../cache/state.ts';
import { explain, ModelCacheError } from '../errors.ts';
import { cachesBefore } from '../handover/environment.ts';
import type { UploadPlan } from '../model/upload-plan.ts';
import { itemFailure, type Report } from '../report.ts';
import { connect, patienceOf } from '../stages/connect.ts';
import type { Context } from '../stages/context.ts';
import { finish } from '../stages/finish.ts';
import { remember } from '../stages/remember.ts';
import { withProgressLines } from '../stages/progress-lines.ts';
import { executeUpload, planUploadOf, readBucket, type FileFailure } from '../stages/upload-cache.ts';
import { bytes, files, seconds, speed } from '../stages/words.ts';
import type { Store } from '../store/store.ts';
import { Progress } from '../transfer/progress.ts';
import { withPatience } from '../transfer/watchdog.ts';

/** For taking back the parts of an upload that was stopped, within what a container runtime leaves after SIGTERM. */
const GRACE_MS = 8000;

/** Puts into the bucket what it lacks of the dir. Safe beside a live server and other uploads: nothing is ever modified. */
export async function upload(context: Context): Promise<number> {
  const dir = requireDir(context);
  const store = await connect(context);
  const state = State.load(dir);
  const progress = new Progress();
  // Any speed is better than not uploading; only a store that says nothing at all is given up.
  const patience = { ...patienceOf(context), minSpeed: 0, timeout: undefined, grace: GRACE_MS };
  try {
    return await withPatience(patience, progress, context.stop, (signal) =>
      uploadTo(context, dir, store, state, progress, signal),
    );
  } finally {
    store.close();
    if (!context.settings.dryRun) remember(context, dir, state);
  }
}

async function uploadTo(
  context: Context,
  dir: string,
  store: Store,
  state: State,
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  const { log, reporter, env, settings } = context;
  const { hubs, torchHomes } = cachesBefore(dir, env, settings.reuse);
  const bucket = await reporter.phase('listing', () =>
    progress.whileWaiting(() => readBucket(context, store, signal)),
  );
  log.info('store.ready', `${store.kind === 'S3' ? 'S3 store' : 'store'} ready: ${store.url}`);
  const planned = await reporter.phase('inventory', () =>
    planUploadOf(context, dir, state, [...hubs, ...torchHomes], bucket, signal),
  );
  const failures: FileFailure[] = [];
  const onFailure = (failure: FileFailure): void => {
    failures.push(failure);
    log.warn('upload.item', `not uploaded: ${explain(failure.error)}`);
  };
  for (const failure of [...planned.unfinished, ...corruptOf(planned.plan)]) onFailure(failure);
  if (settings.dryRun) return tellPlan(context, dir, planned.plan, failures);
  if (planned.plan.send.length > 0)
    log.info(
      'upload.started',
      `Uploading models from ${dir} to ${store.kind}: ${sumOf(planned.plan)} to ${store.url}`,
    );
  const start = performance.now();
  const { sent, manifests } = await reporter.phase('transfer', () =>
    withProgressLines(log, 'upload.progress', `${store.kind} upload`, progress, () =>
      executeUpload(dir, planned, bucket, { store, state, progress, signal, onFailure }),
    ),
  );
  const sentBytes = sent.reduce((sum, { item }) => sum + item.file.size, 0);
  const elapsed = performance.now() - start;
  const isWhole = failures.length === 0;
  const did = sent.length === 0 && manifests.length === 0;
  log.info(
    'upload.completed',
    did && isWhole
      ? `Nothing to upload: ${store.url} holds all of ${dir} (${files(planned.plan.present.length)})`
      : `Models uploaded to ${store.kind} - future cold starts will be faster: ${files(sent.length)}, ${bytes(sentBytes)} in ${seconds(elapsed)} (${speed(sentBytes, elapsed)})${isWhole ? '' : `; ${files(failures.length)} left out`}`,
  );
  reporter.add({
    upload: {
      status: isWhole ? (did ? 'nothing-to-do' : 'completed') : 'incomplete',
      sent: { files: sent.length, bytes: sentBytes },
      present: countOf(planned.plan.present),
      manifests: [...manifests],
      failures: failures.map(itemFailure),
    },
  });
  return isWhole ? finish(context, 0, 'ok') : finish(context, 1, 'upload-incomplete');
}

function tellPlan(context: Context, dir: string, plan: UploadPlan, failures: readonly FileFailure[]): number {
  const lines = plan.send.map(
    ({ reason, file, key }) => `${reason.padEnd(14)} ${bytes(file.size).padStart(10)}  ${key}`,
  );
  if (!context.settings.json)
    context.print(
      `${[...lines, `${dir}: ${sumOf(plan)} to send; ${files(plan.present.length)} there already`].join('\n')}\n`,
    );
  context.reporter.add({
    upload: {
      status: 'planned',
      sent: countOf(plan.send),
      present: countOf(plan.present),
      manifests: [],
      failures: failures.map(itemFailure),
    },
  });
  return finish(context, 0, 'ok');
}

function requireDir({ settings, reporter }: Context): string {
  const dir = existingDir(settings.dirs);
  if (dir === undefined) {
    throw new ModelCacheError(
      'dir-unusable',
      `there is no cache to upload: none of ${settings.dirs.join(', ')} exists`,
      { hint: 'name it with --dir' },
    );
  }
  reporter.add({ dir });
  return dir;
}

function corruptOf({ corrupt }: UploadPlan): readonly FileFailure[] {
  return corrupt.map(({ tree, file, wanted, found }) => ({
    tree: tree.tree,
    path: file.path,
    error: new ModelCacheError('file-digest-differs', `${tree.root}/${file.path} is not what its name says`, {
      wanted,
      found,
      hint: 'delete it and let the server download it again',
    }),
  }));
}

function sumOf({ send }: UploadPlan): string {
  const { files: count, bytes: size } = countOf(send);
  return `${files(count)}, ${bytes(size)}`;
}

function countOf(contents: UploadPlan['present']): NonNullable<Report['upload']>['sent'] {
  return { files: contents.length, bytes: contents.reduce((sum, { file }) => sum + file.size, 0) };
}
