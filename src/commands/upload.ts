import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { explain, ModelCacheError, toModelCacheError } from '../errors.ts';
import { countOf } from '../model/count.ts';
import type { FileFailure } from '../model/file-failure.ts';
import type { LocalContent } from '../model/inventory.ts';
import { itemFailure } from '../report.ts';
import type { Context } from '../stages/context.ts';
import { finish } from '../stages/finish.ts';
import { requireLocalCache, type LocalCache } from '../stages/local-cache.ts';
import {
  carryOut,
  describeUpload,
  explainLeftOut,
  isNothing,
  prepareUpload,
  type UploadAtHand,
} from '../stages/run-upload.ts';
import { bytes, files } from '../stages/words.ts';

/** Puts into the bucket what it lacks of the dir. Safe beside a live server and other uploads: nothing is ever modified. */
export async function upload(context: Context): Promise<number> {
  const cache = requireLocalCache(context, 'upload');
  const { dryRun } = context.settings;
  try {
    return await prepareUpload(context, cache, (atHand) =>
      dryRun ? tellPlan(context, cache, atHand) : uploadNow(context, cache, atHand),
    );
  } catch (error) {
    const { code, message } = toModelCacheError(error);
    if (code !== 'interrupted' || dryRun) throw error;
    throw new ModelCacheError(code, message, {
      hint: 'what is in the bucket of it stays, and the next upload goes on with it',
      cause: error,
    });
  }
}

async function uploadNow(context: Context, cache: LocalCache, atHand: UploadAtHand): Promise<number> {
  const { log } = context;
  const { store } = atHand;
  const uploaded = await carryOut(context, cache, atHand, tellLeftOut(context));
  const { sent, present, failures } = uploaded;
  if (isNothing(uploaded) && present.length === 0) return tellNoModels(context, cache);
  if (isNothing(uploaded)) {
    const held = `${store.url} holds all of ${cache.dir} (${files(present.length)})`;
    log.info('upload.completed', `Nothing to upload: ${held}`);
  } else if (sent.length === 0 && failures.length > 0) {
    log.warn('upload.completed', `Upload incomplete: nothing sent, ${files(failures.length)} left out`);
  } else log.info('upload.completed', describeUpload(store, uploaded));
  return failures.length === 0 ? finish(context, 0, 'ok') : finish(context, 1, 'upload-incomplete');
}

/** Most likely they are somewhere else. */
function tellNoModels(context: Context, { dir, reuse }: LocalCache): number {
  const other = reuse.find((cache) => existsSync(cache));
  const asDir = other !== undefined && basename(other) === 'hub' ? dirname(other) : other;
  const error = new ModelCacheError('model-not-found', `there is no model in ${dir} to upload`, {
    hint: asDir === undefined ? 'name the cache with --dir' : `there is another cache: --dir ${asDir}`,
  });
  context.log.error('upload.failed', explain(error), error.code);
  context.reporter.problem(error);
  return finish(context, 1, error.code);
}

async function tellPlan(context: Context, cache: LocalCache, { planned }: UploadAtHand): Promise<number> {
  const { send, present } = planned.plan;
  planned.leftOut.forEach(tellLeftOut(context));
  if (send.length === 0 && present.length === 0) return tellNoModels(context, cache);
  const lines = send.map(
    ({ reason, file, key }) => `${reason.padEnd(14)} ${bytes(file.size).padStart(10)}  ${key}`,
  );
  const toSend = sumOf(send);
  const sums = `${cache.dir}: ${files(toSend.files)}, ${bytes(toSend.bytes)} to send; ${files(present.length)} there already`;
  if (!context.settings.json) context.print(`${[...lines, sums].join('\n')}\n`);
  context.reporter.add({
    upload: {
      status: 'planned',
      sent: toSend,
      bytesSent: 0,
      present: sumOf(present),
      manifests: [],
      failures: planned.leftOut.map(itemFailure),
    },
  });
  return finish(context, 0, 'ok');
}

function tellLeftOut({ log }: Context): (failure: FileFailure) => void {
  return (failure) => log.warn('upload.item', explainLeftOut(failure), failure.error.code);
}

function sumOf(contents: readonly LocalContent[]): ReturnType<typeof countOf> {
  return countOf(contents.map(({ file }) => file));
}
