import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutOfReach, RemoteMounts } from '../cache/remote-mounts.ts';
import { explain, ModelCacheError, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { Reporter, type Report } from '../report.ts';
import type { Context } from '../stages/context.ts';
import { doneHere, type DiskWork } from '../stages/disk-work.ts';
import type { FromBehind, StartOrder, ToBehind } from './messages.ts';

const ALIVE_EVERY_MS = 200;

/** What the process has of its own: the rest is in the order. */
export type Own = Pick<Context, 'env' | 'stop' | 'caughtSignal'> & { readonly version: string };

/**
 * The disk work of a start, in a process that the one in front can leave behind. It ends when that one is done with
 * it, or gone.
 */
export function workBehind(own: Own): Promise<void> {
  let work: DiskWork | undefined;
  const obey = async (message: ToBehind): Promise<void> => {
    if (message.kind === 'make-ready') {
      const context = contextFor(message.order, own);
      void tellAlive(message.order.answering, context.reporter);
      work = doneHere(context);
      const ready = await work.makeReady(message.order.server);
      tell({ kind: 'ready', ready, report: context.reporter.value });
    } else {
      await work?.keepReport(message.report);
      tell({ kind: 'report-kept' });
    }
  };
  process.on('message', (message) => void obey(message as ToBehind).catch(tellBug));
  return new Promise((done) => process.once('disconnect', done));
}

/** Each time that all network volumes have answered. One that does not leaves this waiting. */
async function tellAlive(volumes: readonly string[], reporter: Reporter): Promise<void> {
  while (process.connected) {
    await Promise.all(volumes.map((mount) => statfs(mount).catch(() => undefined)));
    tell({ kind: 'alive', dir: reporter.value.dir });
    await sleep(ALIVE_EVERY_MS, undefined, { ref: false });
  }
}

function contextFor({ settings, storeProblem, answering, startedAgo }: StartOrder, own: Own): Context {
  const startedAt = performance.now() - startedAgo;
  return {
    ...own,
    settings: { ...settings, problems: [], storeProblem: storeProblem && errorOf(storeProblem) },
    flags: {},
    log: told,
    reporter: new TellingReporter('init', own.version, startedAt, new Date()),
    startedAt,
    unreachable: new OutOfReach(RemoteMounts.read(), answering),
    print: () => undefined,
  };
}

function errorOf({ code, message, hint }: NonNullable<StartOrder['storeProblem']>): ModelCacheError {
  return new ModelCacheError(code as ErrorCode, message, { hint });
}

/** The one in front is to know the dir at once: it may be what this process hangs on. */
class TellingReporter extends Reporter {
  override add(part: Partial<Report>): void {
    super.add(part);
    if (part.dir !== undefined) tell({ kind: 'alive', dir: part.dir });
  }
}

function tellBug(error: unknown): void {
  tell({ kind: 'failed', message: explain(error) });
}

/** What is said here is said by the process in front. */
const told: Log = {
  debug: (event, message, code) => tell({ kind: 'said', level: 'debug', event, message, code }),
  info: (event, message, code) => tell({ kind: 'said', level: 'info', event, message, code }),
  warn: (event, message, code) => tell({ kind: 'said', level: 'warn', event, message, code }),
  error: (event, message, code) => tell({ kind: 'said', level: 'error', event, message, code }),
};

/** Nobody listens when the process in front has gone on. */
function tell(message: FromBehind): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
