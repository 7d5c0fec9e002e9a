import { workerData } from 'node:worker_threads';
import { firstPace } from '../model/pace.ts';
import { ownDiskSigns, serve, type Tell } from '../threads/serve.ts';
import { systemFailure } from '../threads/system-failure.ts';
import { DiskFailed } from './at-disk.ts';
import { Silence } from './connection.ts';
import { Connections, type ExchangeOptions } from './connections.ts';
import { ContentOrRefusal, OtherObject, Refused } from './content.ts';
import { FileReader } from './file-reader.ts';
import { getText, rangeLine } from './get-text.ts';
import type {
  Fetched,
  FetchErrand,
  FetchFailure,
  FetchReply,
  FetchSaid,
  FileToMake,
  FilesErrand,
  RangeErrand,
  ReceiverData,
} from './messages.ts';
import { CutOff, RangeReader } from './range-reader.ts';
import { UnusualAnswer } from './response-head.ts';

/** One for all connections: what was read is written before the next read. */
const READ_BYTES = 1024 * 1024;
const TELL_EVERY_MS = 50;

class Cancelled extends Error {}

/** With what was written before it. */
class Broken extends Error {
  readonly moved: number;

  constructor(cause: unknown, moved: number) {
    super('a fetch broke off', { cause });
    this.moved = moved;
  }
}

interface UnderWay {
  /** Bytes that were written since this was asked last. */
  takeMoved: () => number;
  /** To end earlier; false where it cannot. */
  cut: (end: number) => boolean;
  readonly say: (said: FetchSaid) => void;
  end: (reason: Error) => void;
}

const { endpoint, patience, ahead } = workerData as ReceiverData;
// With the others, before this thread has begun; a plain one does without.
if (endpoint.isTls) process.getBuiltinModule('node:tls');
const disk = ownDiskSigns();
const connections = new Connections(endpoint, Buffer.allocUnsafeSlow(READ_BYTES), patience);
const underWay = new Map<number, UnderWay>();

serve<FetchErrand, FetchSaid, Fetched, FetchFailure, FetchReply>({
  go: (errand, id, tell) =>
    errand.kind === 'range' ? fetchRange(errand, id, tell) : fetchFiles(errand, id, tell),
  stop: (id) => underWay.get(id)?.end(new Cancelled()),
  hear: (id, { end }) => {
    const fetch = underWay.get(id);
    if (fetch?.cut(end) === true) fetch.say({ kind: 'cut', end });
  },
  failureOf: (error) => failureOf(error instanceof Broken ? error : new Broken(error, 0)),
});
setInterval(tellMoved, TELL_EVERY_MS).unref();
if (ahead !== undefined)
  connections.openAhead((connectMs) => firstPace(connectMs, { width: ahead, partBytes: 0 }).width - 1);

async function fetchRange(errand: RangeErrand, id: number, { say }: Tell<FetchSaid>): Promise<Fetched> {
  const { request, range, size, onNewConnection } = errand;
  const reader = new RangeReader(errand, disk, (etag) => say({ kind: 'begun', etag }));
  const work: UnderWay = {
    takeMoved: () => reader.takeMoved(),
    cut: (end) => reader.cut(end),
    say,
    end: () => undefined,
  };
  underWay.set(id, work);
  try {
    const content = new ContentOrRefusal(range, size, reader);
    const options = { onNewConnection, onBegin: (end: UnderWay['end']) => (work.end = end) };
    const { connectMs } = await connections.exchange({ head: request }, content, options);
    content.throwIfRefused();
    return { moved: reader.takeMoved(), connectMs };
  } catch (error) {
    if (error instanceof CutOff) return { moved: reader.takeMoved(), connectMs: undefined };
    throw new Broken(error, reader.takeMoved());
  } finally {
    underWay.delete(id);
  }
}

async function fetchFiles(
  { common, files, onNewConnection }: FilesErrand,
  id: number,
  { say, saySoon }: Tell<FetchSaid>,
): Promise<Fetched> {
  const work: UnderWay = { takeMoved: () => 0, cut: () => false, say, end: () => undefined };
  const options = { onNewConnection, onBegin: (end: UnderWay['end']) => (work.end = end) };
  underWay.set(id, work);
  let quickest: number | undefined;
  try {
    for (const file of files) {
      const reader = new FileReader(file, disk);
      work.takeMoved = () => reader.takeMoved();
      const connectMs = await fetchFile(common, file, reader, options);
      if (connectMs !== undefined) quickest = Math.min(quickest ?? Infinity, connectMs);
      saySoon({ kind: 'made', moved: reader.takeMoved(), etag: reader.etag, digests: reader.digests });
    }
    return { moved: 0, connectMs: quickest };
  } finally {
    underWay.delete(id);
  }
}

async function fetchFile(
  common: string,
  file: FileToMake,
  reader: FileReader,
  options: ExchangeOptions,
): Promise<number | undefined> {
  try {
    const whole = { start: 0, end: file.size };
    const content = new ContentOrRefusal(whole, file.size, reader);
    const head = getText(common, file, rangeLine(whole));
    const { connectMs } = await connections.exchange({ head }, content, options);
    content.throwIfRefused();
    reader.finish();
    return connectMs;
  } catch (error) {
    reader.giveUp();
    throw new Broken(error, reader.takeMoved());
  }
}

function tellMoved(): void {
  for (const { takeMoved, say } of underWay.values()) {
    const bytes = takeMoved();
    if (bytes > 0) say({ kind: 'moved', bytes });
  }
}

function failureOf({ cause, moved }: Broken): FetchFailure {
  if (cause instanceof Refused) return { moved, kind: 'refused', refusal: cause.refusal };
  if (cause instanceof UnusualAnswer) return { moved, kind: 'unusual', what: cause.message };
  if (cause instanceof OtherObject)
    return { moved, kind: 'other-object', etag: cause.etag, size: cause.size };
  if (cause instanceof Silence) return { moved, kind: 'silent' };
  if (cause instanceof Cancelled) return { moved, kind: 'cancelled' };
  if (cause instanceof DiskFailed) return { moved, kind: 'disk', error: systemFailure(cause.cause) };
  // Whatever a connection fails with has a code.
  const { code, stack = '' } = cause as NodeJS.ErrnoException;
  return code === undefined
    ? { moved, kind: 'bug', stack }
    : { moved, kind: 'connection', error: systemFailure(cause) };
}
