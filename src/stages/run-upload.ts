import { explain } from '../errors.ts';
import { countOf } from '../model/count.ts';
import type { FileFailure } from '../model/file-failure.ts';
import type { LocalContent } from '../model/inventory.ts';
import { itemFailure } from '../report.ts';
import { withSigns } from '../store/signs-of-life.ts';
import type { Store } from '../store/store.ts';
import { Progress } from '../transfer/progress.ts';
import type { SentFile } from '../transfer/upload.ts';
import { withPatience } from '../transfer/watchdog.ts';
import { connect, patienceOf } from './connect.ts';
import type { Context } from './context.ts';
import { remember, type LocalCache } from './local-cache.ts';
import { withProgressLines } from './progress-lines.ts';
import { readBucket, type BucketContents } from './read-bucket.ts';
import { executeUpload, planUploadOf, type PlannedUpload } from './upload-cache.ts';
import { tellApart } from './tell-apart.ts';
import { bytes, files, seconds, speed, storeReady } from './words.ts';

/** What is to be done, and what it is done with. */
export interface UploadAtHand {
  readonly store: Store;
  readonly bucket: BucketContents;
  readonly planned: PlannedUpload;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What an upload came to. */
export interface Uploaded {
  readonly sent: readonly SentFile[];
  readonly present: readonly LocalContent[];
  readonly manifests: readonly string[];
  readonly failures: readonly FileFailure[];
  /** Bytes that left this machine: other pods may have sent the rest. */
  readonly bytesSent: number;
  /** Milliseconds. */
  readonly elapsed: number;
}

/**
 * Reads the bucket, decides what it lacks of the dir, and hands that to `act`. Any speed is better than not uploading;
 * only a store that says nothing at all is given up. What was proved is remembered, however it ends.
 */
export async function prepareUpload<T>(
  context: Context,
  cache: LocalCache,
  act: (upload: UploadAtHand) => Promise<T>,
): Promise<T> {
  const { reporter, log, settings } = context;
  const store = await connect(context);
  const progress = new Progress();
  const patience = { ...patienceOf(context), minSpeed: 0, timeout: undefined, grace: settings.grace };
  try {
    return await withPatience(patience, progress, context.stop, async (signal) => {
      const bucket = await reporter.phase('listing', () =>
        progress.whileWaiting(() =>
          readBucket(
            context,
            withSigns(store, () => progress.sign()),
            signal,
          ),
        ),
      );
      log.info('store.ready', storeReady(store));
      const planned = await reporter.phase('inventory', () => planUploadOf(context, cache, bucket, signal));
      return act({ store, bucket, planned, progress, signal });
    });
  } finally {
    store.close();
    if (!settings.dryRun) remember(context, cache);
  }
}

/** Sends what is planned, and tells. `tellFailure` is called for each file that stays out of the bucket this time. */
export async function carryOut(
  context: Context,
  cache: LocalCache,
  { store, bucket, planned, progress, signal }: UploadAtHand,
  tellFailure: (failure: FileFailure) => void,
): Promise<Uploaded> {
  const { log, reporter, settings } = context;
  const { send, present } = planned.plan;
  const failures: FileFailure[] = [];
  const onFailure = (failure: FileFailure): void => {
    failures.push(failure);
    tellFailure(failure);
  };
  for (const failure of planned.leftOut) onFailure(failure);
  tellApart(
    log,
    cache.dir,
    planned.inventory.trees.map(({ tree }) => tree),
  );
  if (send.length > 0) {
    const { files: count, bytes: size } = countOf(send.map(({ file }) => file));
    log.info(
      'upload.started',
      `Uploading models from ${cache.dir} to ${store.kind}: ${files(count)}, ${bytes(size)} to ${store.url}`,
    );
  }
  const start = performance.now();
  const { sent, manifests } = await reporter.phase('transfer', () =>
    withProgressLines(log, 'upload.progress', `${store.kind} upload`, progress, () =>
      executeUpload(cache, planned, bucket, { settings, log, store, progress, signal, onFailure }),
    ),
  );
  const elapsed = performance.now() - start;
  const uploaded = { sent, present, manifests, failures, bytesSent: progress.bytesDone, elapsed };
  reportUpload(context, uploaded);
  return uploaded;
}

/** Nothing was lacking, and nothing stood in the way. */
export function isNothing({ sent, manifests, failures }: Uploaded): boolean {
  return sent.length === 0 && manifests.length === 0 && failures.length === 0;
}

export function describeUpload({ kind }: Store, uploaded: Uploaded): string {
  const { sent, failures, bytesSent, elapsed } = uploaded;
  const count = countOf(sent.map(({ item }) => item.file));
  const byOthers =
    bytesSent < count.bytes ? `, ${bytes(count.bytes - bytesSent)} of that by other uploads` : '';
  const moved = `${files(count.files)}, ${bytes(count.bytes)}${byOthers} in ${seconds(elapsed)} (${speed(bytesSent, elapsed)})`;
  const leftOut = failures.length === 0 ? '' : `; ${files(failures.length)} left out`;
  const what = sent.length === 0 ? 'the bytes were there, links and refs are new' : moved;
  return `Models uploaded to ${kind} - future cold starts will be faster: ${what}${leftOut}`;
}

export function explainLeftOut({ error }: FileFailure): string {
  return `not uploaded: ${explain(error)}`;
}

function reportUpload({ reporter }: Context, uploaded: Uploaded): void {
  const { sent, present, manifests, failures, bytesSent } = uploaded;
  reporter.add({
    upload: {
      status: isNothing(uploaded) ? 'nothing-to-do' : failures.length === 0 ? 'completed' : 'incomplete',
      sent: countOf(sent.map(({ item }) => item.file)),
      bytesSent,
      present: countOf(present.map(({ file }) => file)),
      manifests: [...manifests],
      failures: failures.map(itemFailure),
    },
  });
}
