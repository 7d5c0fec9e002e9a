import { explain } from '../errors.ts';
import { countOf } from '../model/count.ts';
import type { LocalFile } from '../model/inventory.ts';
import type { UploadPlan } from '../model/upload-plan.ts';
import { itemFailure } from '../report.ts';
import { connect, patienceOf } from '../stages/connect.ts';
import type { Context } from '../stages/context.ts';
import type { FileFailure } from '../model/file-failure.ts';
import { finish } from '../stages/finish.ts';
import { remember, requireLocalCache, type LocalCache } from '../stages/local-cache.ts';
import { withProgressLines } from '../stages/progress-lines.ts';
import { readBucket } from '../stages/read-bucket.ts';
import { executeUpload, planUploadOf } from '../stages/upload-cache.ts';
import { bytes, files, seconds, speed, storeReady } from '../stages/words.ts';
import type { Store } from '../store/store.ts';
import { Progress } from '../transfer/progress.ts';
import type { SentFile } from '../transfer/upload.ts';
import { withPatience } from '../transfer/watchdog.ts';

/** For taking back the parts of an upload that was stopped, within what a container runtime leaves after SIGTERM. */
const GRACE_MS = 8000;

/** Puts into the bucket what it lacks of the dir. Safe beside a live server and other uploads: nothing is ever modified. */
export async function upload(context: Context): Promise<number> {
  const cache = requireLocalCache(context, 'upload');
  const store = await connect(context);
  const progress = new Progress();
  // Any speed is better than not uploading; only a store that says nothing at all is given up.
  const patience = { ...patienceOf(context), minSpeed: 0, timeout: undefined, grace: GRACE_MS };
  try {
    return await withPatience(patience, progress, context.stop, (signal) =>
      uploadTo(context, cache, store, progress, signal),
    );
  } finally {
    store.close();
    if (!context.settings.dryRun) remember(context, cache);
  }
}

async function uploadTo(
  context: Context,
  cache: LocalCache,
  store: Store,
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  const { log, reporter, settings } = context;
  const bucket = await reporter.phase('listing', () =>
    progress.whileWaiting(() => readBucket(context, store, signal)),
  );
  log.info('store.ready', storeReady(store));
  const planned = await reporter.phase('inventory', () => planUploadOf(context, cache, bucket, signal));
  const failures: FileFailure[] = [];
  const onFailure = (failure: FileFailure): void => {
    failures.push(failure);
    log.warn('upload.item', `not uploaded: ${explain(failure.error)}`);
  };
  for (const failure of planned.leftOut) onFailure(failure);
  if (settings.dryRun) return tellPlan(context, cache.dir, planned.plan, failures);
  const { send, present } = planned.plan;
  if (send.length > 0) {
    log.info(
      'upload.started',
      `Uploading models from ${cache.dir} to ${store.kind}: ${sumOf(send)} to ${store.url}`,
    );
  }
  const start = performance.now();
  const { sent, manifests } = await reporter.phase('transfer', () =>
    withProgressLines(log, 'upload.progress', `${store.kind} upload`, progress, () =>
      executeUpload(cache, planned, bucket, { store, progress, signal, onFailure }),
    ),
  );
  tellUploaded(context, store, cache.dir, { sent, present, manifests, failures }, performance.now() - start);
  return failures.length === 0 ? finish(context, 0, 'ok') : finish(context, 1, 'upload-incomplete');
}

interface Uploaded {
  readonly sent: readonly SentFile[];
  readonly present: UploadPlan['present'];
  readonly manifests: readonly string[];
  readonly failures: readonly FileFailure[];
}

function tellUploaded(
  { log, reporter }: Context,
  store: Store,
  dir: string,
  { sent, present, manifests, failures }: Uploaded,
  elapsed: number,
): void {
  const count = countOf(sent.map(({ item }) => item.file));
  const isWhole = failures.length === 0;
  const isNothing = isWhole && sent.length === 0 && manifests.length === 0;
  const done = `Models uploaded to ${store.kind} - future cold starts will be faster`;
  const moved = `${files(count.files)}, ${bytes(count.bytes)} in ${seconds(elapsed)} (${speed(count.bytes, elapsed)})`;
  const message = isNothing
    ? `Nothing to upload: ${store.url} holds all of ${dir} (${files(present.length)})`
    : `${done}: ${moved}${isWhole ? '' : `; ${files(failures.length)} left out`}`;
  if (sent.length === 0 && !isWhole)
    log.warn('upload.completed', `Upload incomplete: nothing sent, ${files(failures.length)} left out`);
  else log.info('upload.completed', message);
  reporter.add({
    upload: {
      status: isNothing ? 'nothing-to-do' : isWhole ? 'completed' : 'incomplete',
      sent: count,
      present: countOf(filesOf(present)),
      manifests: [...manifests],
      failures: failures.map(itemFailure),
    },
  });
}

function tellPlan(
  context: Context,
  dir: string,
  { send, present }: UploadPlan,
  failures: readonly FileFailure[],
): number {
  const lines = send.map(
    ({ reason, file, key }) => `${reason.padEnd(14)} ${bytes(file.size).padStart(10)}  ${key}`,
  );
  const sums = `${dir}: ${sumOf(send)} to send; ${files(present.length)} there already`;
  if (!context.settings.json) context.print(`${[...lines, sums].join('\n')}\n`);
  context.reporter.add({
    upload: {
      status: 'planned',
      sent: countOf(filesOf(send)),
      present: countOf(filesOf(present)),
      manifests: [],
      failures: failures.map(itemFailure),
    },
  });
  return finish(context, 0, 'ok');
}

function sumOf(contents: UploadPlan['present']): string {
  const { files: count, bytes: size } = countOf(filesOf(contents));
  return `${files(count)}, ${bytes(size)}`;
}

function filesOf(contents: UploadPlan['present']): readonly LocalFile[] {
  return contents.map(({ file }) => file);
}
