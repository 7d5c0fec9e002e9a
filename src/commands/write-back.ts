import { explain, isInterrupted, toModelCacheError } from '../errors.ts';
import { stopWithParent } from '../handover/lifeline.ts';
import { yieldToEverybody } from '../handover/priority.ts';
import type { LogEvent } from '../log-event.ts';
import { bothLogs, createLog, type Log } from '../log.ts';
import type { FileFailure } from '../model/file-failure.ts';
import { NO_WAITING_HELPS } from '../model/no-waiting-helps.ts';
import type { Context } from '../stages/context.ts';
import { requireLocalCache } from '../stages/local-cache.ts';
import {
  carryOut,
  describeUpload,
  explainLeftOut,
  prepareUpload,
  type Uploaded,
} from '../stages/run-upload.ts';
import { hiding, secretValues } from '../redact.ts';
import { parseServerProcess } from '../handover/server-process.ts';
import { EXIT_DONE, EXIT_LATER, EXIT_LEFT_SOME, EXIT_NEVER } from '../write-back/pass-end.ts';
import { serverStderr } from '../write-back/server-stderr.ts';

/**
 * One pass of the write-back, which starts it and reads its exit code: an upload that nobody watches. It tells on the
 * server's stderr what a user wants to know, and the rest in its own log.
 */
export async function writeBack(context: Context, [server = '']: readonly string[]): Promise<number> {
  yieldToEverybody();
  stopWithParent();
  const { settings } = context;
  const besideServer = await createLog(
    settings.log,
    serverStderr(parseServerProcess(server)),
    hiding(secretValues(context.env)),
  );
  const log = bothLogs(context.log, forServer(besideServer));
  try {
    return await pass({ ...context, log });
  } catch (error) {
    return tellWhyNot(log, context, error);
  }
}

async function pass(context: Context): Promise<number> {
  const { log } = context;
  const cache = requireLocalCache(context, 'upload');
  return prepareUpload(context, cache, async (atHand) => {
    const uploaded = await carryOut(context, cache, atHand, (failure) => tellLeftOut(log, failure));
    const { sent, manifests } = uploaded;
    if (sent.length > 0 || manifests.length > 0)
      log.info('upload.completed', describeUpload(atHand.store, uploaded));
    return leftSome(uploaded) ? EXIT_LEFT_SOME : EXIT_DONE;
  });
}

/** What is wrong with the file itself stays as it is until something is new; everything else may be better later. */
function leftSome({ failures }: Uploaded): boolean {
  return failures.some(({ error: { code } }) => code !== 'file-digest-differs' && code !== 'path-unsafe');
}

function tellLeftOut(log: Log, failure: FileFailure): void {
  const { code } = failure.error;
  const isWorthTelling = code !== 'file-changed' && code !== 'path-unsafe';
  log[isWorthTelling ? 'warn' : 'debug']('upload.item', explainLeftOut(failure), code);
}

function tellWhyNot(log: Log, { stop }: Context, error: unknown): number {
  const { code } = toModelCacheError(error);
  if (isInterrupted(stop)) {
    log.info('upload.parked', 'The upload was stopped; what is in the bucket of it stays for the next one');
    return EXIT_LATER;
  }
  if (code === 'store-denied') {
    log.warn(
      'upload.failed',
      `Nothing is uploaded: this key is not allowed what an upload needs (${explain(error)})`,
      code,
    );
    return EXIT_NEVER;
  }
  const isForGood = NO_WAITING_HELPS.has(code);
  const next = isForGood ? 'nothing is uploaded' : 'it is tried again later';
  log.warn('upload.failed', `Upload failed: ${explain(error)}; ${next}`, code);
  if (code === 'internal' && error instanceof Error) log.debug('upload.failed', String(error.stack));
  return isForGood ? EXIT_NEVER : EXIT_LATER;
}

/** Beside a server: no progress, and nothing that a run without news says. */
function forServer(log: Log): Log {
  const isForServer = (event: LogEvent): boolean =>
    event.startsWith('upload.') && event !== 'upload.progress';
  const only =
    (level: keyof Log): Log['info'] =>
    (event, message, code) => {
      if (isForServer(event)) log[level](event, message, code);
    };
  return { debug: () => undefined, info: only('info'), warn: only('warn'), error: only('error') };
}
